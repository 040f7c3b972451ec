"""Training from a table larger than memory: rows per second against rows in memory, and the most that is resident.

A table of 1,000 numbers a row is written as a mapped file, 5 GB as the network gets them. One process trains on it from
disk; another trains on as many of its first rows as make 1 GB, in memory. Both run the same network with the same
batches on one thread; epochs are timed from the end of the first to the end of the last, evaluations included. What is
converted, and how long that takes, is told apart: it happens once.

    python benchmarks/larger_than_memory.py [--gigabytes 5] [--rounds 3]

Goal: at most 1.5 GB resident, at no less than 0.8 times the speed in memory.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from _report import hardware, keep

WIDTH, BATCH_SIZE, EPOCHS = 1_000, 128, 3
BATCH_ROWS = 4_096
SPEC = {
    "data": {"kind": "file", "path": "table", "target": "y", "validation_fraction": 0.05, "test_fraction": 0.05},
    "model": {"kind": "mlp", "hidden": [128]},
    "regularizers": [{"kind": "l2", "strength": 1e-5}],
    "training": {"epochs": EPOCHS, "batch_size": BATCH_SIZE},
    "resources": {"device": "cpu"},
}


def write(path: Path, num_rows: int) -> None:
    """The table's file, part after part, with its facts."""
    from regcore.data.tables.facts import ColumnFacts, Reading, TableFacts

    names = [f"x{number}" for number in range(WIDTH)]
    number = Reading(num_missing=0, num_distinct=num_rows)
    label = Reading(num_missing=0, num_distinct=2)
    columns = [
        ColumnFacts(name=name, type="number", readings={"number": number, "category": number}, values=None, examples=[])
        for name in names
    ]
    values = {"a": num_rows // 2, "b": num_rows - num_rows // 2}
    columns.append(ColumnFacts(name="y", type="category", readings={"category": label}, values=values, examples=["a"]))
    facts = TableFacts(format="parquet", num_rows=num_rows, columns=columns)
    schema = pa.schema([*((name, pa.float32()) for name in names), ("y", pa.string())])
    schema = schema.with_metadata({b"regcore.table_facts": facts.model_dump_json().encode()})
    rng, slope = np.random.default_rng(0), np.random.default_rng(1).normal(size=WIDTH).astype(np.float32)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for begin in range(0, num_rows, BATCH_ROWS):
            size = min(BATCH_ROWS, num_rows - begin)
            x = rng.standard_normal((size, WIDTH), np.float32)
            is_a = np.arange(begin, begin + size) < num_rows // 2  # sorted by class, as files are
            x += np.where(is_a, -1, 1)[:, None].astype(np.float32) * slope * 0.02
            y = pa.array(np.where(is_a, "a", "b").tolist())
            writer.write_batch(pa.record_batch([*map(pa.array, x.T), y], schema=schema))


def child(path: Path, where: str, num_rows: int, out: Path) -> None:
    """Train, in a process of its own, whose memory is measured."""
    import torch

    from regcore import Record, make_plan
    from regcore.data import placement
    from regcore.data.source import TableSource
    from regcore.data.tables.table import Table, read_table
    from regcore.loop.group import Newcomer, train_group

    torch.set_num_threads(1)
    table = read_table(path)
    if where == "memory":
        placement.MAX_BYTES_IN_MEMORY = 2**40
        step = table.columns.num_rows / num_rows  # of both classes
        rows = table.columns.take(pa.array((np.arange(num_rows) * step).astype(np.int64)))
        facts = table.facts.model_copy(update={"num_rows": num_rows})
        table = Table(rows, facts)
    source = TableSource(table, "table", identity=path.name, rows_dir=path.parent / "rows")
    plan = make_plan(SPEC, facts_of=source.facts)
    assert plan.rows_in == where
    begun = time.perf_counter()
    source.prepare(plan.resolved_spec)
    prepared_s = time.perf_counter() - begun
    ends: list[float] = []

    def hear(record: Record) -> None:
        if record.kind == "metrics":
            ends.append(time.perf_counter())

    ((_, result),) = train_group([Newcomer("0", plan, hear, {})], source=source)
    rate = plan.num_rows.train * (len(ends) - 1) / (ends[-1] - ends[0])
    said = {
        "rate": rate,
        "prepared_s": prepared_s,
        "resident_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "accuracy": result.metrics["test/accuracy"],
    }
    out.write_text(json.dumps(said))


def run(path: Path, where: str, num_rows: int) -> dict[str, Any]:
    out = path.with_name(f"{where}.json")
    command = [
        sys.executable,
        __file__,
        "--child",
        where,
        "--path",
        str(path),
        "--rows",
        str(num_rows),
        "--out",
        str(out),
    ]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return dict(json.loads(out.read_text()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="Where the files go; they are deleted.")
    for name, kind in (("child", str), ("path", Path), ("rows", int), ("out", Path)):
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.path, given.child, given.rows, given.out)
        return
    num_rows = int(given.gigabytes * 1e9 / (4 * WIDTH))
    in_memory = min(num_rows // 2, int(1e9 / (4 * WIDTH)))
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder) / "table"
        write(path, num_rows)
        rounds = [(run(path, "disk", num_rows), run(path, "memory", in_memory)) for _ in range(given.rounds)]
    ratios = [disk["rate"] / memory["rate"] for disk, memory in rounds]
    first = rounds[0][0]
    keep(
        "larger-than-memory",
        "Training from a table larger than memory",
        f"{hardware()}\n\n{num_rows:,} rows of {WIDTH:,} numbers, {4 * WIDTH * num_rows / 1e9:.1f} GB as the network "
        f"gets them, sorted by class in the file; a network with 128 hidden units, batches of {BATCH_SIZE}.\n\n"
        "| what | measured | goal |\n| --- | --- | --- |\n"
        f"| rows per second from disk, against {in_memory:,} of them in memory | {statistics.median(ratios):.2f} times "
        f"({min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} rounds) | 0.8 |\n"
        f"| the most that was resident, conversion included | {max(disk['resident_gb'] for disk, _ in rounds):.2f} GB "
        "| 1.5 GB |\n"
        f"| the conversion, once | {first['prepared_s']:.0f} s | |\n"
        f"| opening what was converted | {rounds[-1][0]['prepared_s']:.1f} s | |\n"
        f"| test accuracy from disk and in memory | {first['accuracy']:.3f} and {rounds[0][1]['accuracy']:.3f} | |",
    )


if __name__ == "__main__":
    main()
