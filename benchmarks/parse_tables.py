"""A table of a million rows from a file to columns with types: `python benchmarks/parse_tables.py`.

Seventeen columns (numbers, categories, an identifier, a boolean, a date with time) as CSV, JSONL, Parquet and NPZ. Each
reader runs in a process of its own, three times; the smallest time counts. What the peers do is less: they guess types
from cells or take them from the file, and count neither gaps, distinct values nor cells that contradict a type.

Goal: Parquet in under 60 s and 2 GB.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from _report import hardware, keep

NUM_ROWS = 1_000_000
NUM_TIMES = 2
_MEASURED = """
import json, sys, time
from pathlib import Path
{setup}
path = Path(sys.argv[1])
began_at, spent_at = time.monotonic(), time.process_time()
table = {call}
# Not ru_maxrss, which begins at the memory of the process that started this one.
(peak_kb,) = (int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(json.dumps({{"wall_s": time.monotonic() - began_at, "cpu_s": time.process_time() - spent_at,
                   "peak_mb": peak_kb / 1e3}}))
"""
OURS = ("from regcore.data.tables.read import read_file", "read_file(path)")
PEERS: dict[str, dict[str, tuple[str, str]]] = {
    "csv": {
        "pandas": ("import pandas", "pandas.read_csv(path)"),
        "pyarrow": ("import pyarrow.csv", "pyarrow.csv.read_csv(path)"),
        "DuckDB": ("import duckdb", "duckdb.read_csv(str(path)).to_arrow_table()"),
    },
    "jsonl": {
        "pandas": ("import pandas", "pandas.read_json(path, lines=True)"),
        "polars": ("import polars", "polars.read_ndjson(path)"),
    },
    "parquet": {
        "pandas": ("import pandas", "pandas.read_parquet(path)"),
        "pyarrow": ("import pyarrow.parquet", "pyarrow.parquet.read_table(path)"),
    },
    "npz": {"NumPy": ("import numpy", "dict(numpy.load(path))")},
}


def write_files(folder: Path) -> None:
    rng = np.random.default_rng(0)
    numbers = {f"n{place}": rng.normal(size=NUM_ROWS).round(6) for place in range(8)}
    table = pa.table(
        {
            **numbers,
            **{f"i{place}": rng.integers(0, 1_000, NUM_ROWS) for place in range(4)},
            "few": rng.choice(["red", "green", "blue"], NUM_ROWS),
            "many": rng.choice([f"shop {number}" for number in range(500)], NUM_ROWS),
            "id": [f"id{number:07d}" for number in range(NUM_ROWS)],
            "flag": rng.random(NUM_ROWS) > 0.5,
            "when": np.datetime64("2020-01-01", "s") + rng.integers(0, 10**8, NUM_ROWS),
        }
    )
    pyarrow.csv.write_csv(table, folder / "rows.csv")
    pyarrow.parquet.write_table(table, folder / "rows.parquet")
    table.to_pandas().to_json(folder / "rows.jsonl", orient="records", lines=True, date_format="iso")
    np.savez(folder / "rows.npz", x=np.stack(list(numbers.values()), axis=1), y=table["few"].to_numpy().astype(str))


def measure(path: Path, setup: str, call: str) -> dict[str, float]:
    """The least of each figure."""
    code = _MEASURED.format(setup=setup, call=call)
    command = [sys.executable, "-c", code, str(path)]
    runs = [json.loads(subprocess.check_output(command)) for _ in range(NUM_TIMES)]
    return {name: min(run[name] for run in runs) for name in runs[0]}


def row(path: Path) -> str:
    format = path.suffix[1:]
    ours = measure(path, *OURS)
    ratios = []
    for name, (setup, call) in PEERS[format].items():
        peer = measure(path, setup, call)
        ratios.append(f"{name} {ours['wall_s'] / peer['wall_s']:.1f} ({peer['peak_mb']:,.0f} MB)")
    return (
        f"| {format} | {path.stat().st_size / 1e6:,.0f} MB | {ours['wall_s']:.1f} s | {ours['cpu_s']:.1f} s | "
        f"{ours['peak_mb']:,.0f} MB | {', '.join(ratios)} |"
    )


def main() -> None:
    described = hardware()
    with tempfile.TemporaryDirectory(prefix="regcore-bench-") as folder:
        write_files(Path(folder))
        rows = [row(Path(folder, f"rows.{format}")) for format in PEERS]
    text = (
        f"{NUM_ROWS:,} rows of 17 columns (NPZ: 8 numbers and a target). Least of {NUM_TIMES} runs. {described}.\n\n"
        "| format | file | time | CPU time | peak memory of the process | our time per a peer's (its peak memory) |\n"
        "| --- | ---: | ---: | ---: | ---: | --- |\n" + "\n".join(rows)
    )
    keep("parse-tables", "A table of a million rows", text)


if __name__ == "__main__":
    main()
