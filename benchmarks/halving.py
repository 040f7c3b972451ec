"""What `halving` finds, and what it costs, against the full grid: `python benchmarks/halving.py`.

L1 strength by learning rate, 9 by 9 values, 3 seeds each, on four data sets, over HTTP to the embedded stack. The grid
is trained whole; then the same candidates as a halving (eta 3, from 3 of 27 epochs). What the halving finds is judged
by what the grid measured of that candidate.

Goal: a candidate within one standard error of the grid's best, in at most a third of its member-epochs.
"""

import math
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from _report import hardware, keep

from regclient import Client
from regclient.stack.up import EmbeddedStack, StackOptions, free_port

DATA_SETS = ("digits", "mnist-5k", "wine", "breast-cancer")
STRATEGIES: dict[str, dict[str, Any]] = {
    "grid": {"kind": "grid"},
    "halving": {"kind": "halving", "eta": 3, "min_epochs": 3},
}


def spec(data: str, strategy: dict[str, Any]) -> dict[str, Any]:
    return {
        "base": {
            "data": {"kind": "builtin", "name": data},
            "model": {"kind": "mlp", "hidden": [32]},
            "regularizers": [{"kind": "l1", "strength": 1e-4}],
            "training": {"epochs": 27},
        },
        "axes": [
            {
                "pointer": "/regularizers/0/strength",
                "range": {"kind": "log", "low": 1e-6, "high": 1e-1, "num_points": 9},
            },
            {
                "pointer": "/optimizer/learning_rate",
                "range": {"kind": "log", "low": 1e-4, "high": 1e-1, "num_points": 9},
            },
        ],
        "seeds": [0, 1, 2],
        "strategy": strategy,
    }


def measure(client: Client, data: str, strategy: str) -> tuple[Any, float, int]:
    """The sweep at its end, its seconds, and the epochs that its members trained."""
    began_at = time.monotonic()
    sweep = client.sweeps.create(spec(data, STRATEGIES[strategy])).wait(timeout_s=1800, progress=False)
    whole_s = time.monotonic() - began_at
    return sweep, whole_s, sum(job.progress["epoch"] for job in sweep.jobs())


def row(client: Client, data: str) -> str:
    grid, grid_s, grid_epochs = measure(client, data, "grid")
    halving, halving_s, halving_epochs = measure(client, data, "halving")
    losses: dict[str, list[float]] = {}
    for job in grid.jobs():
        losses.setdefault(str(job.sweep["values"]), []).append(job.result["metrics"]["validation/loss"])
    ranked = sorted(losses, key=lambda values: statistics.mean(losses[values]))
    found = str(halving.best["values"])
    best, loss = statistics.mean(losses[ranked[0]]), statistics.mean(losses[found])
    standard_error = statistics.stdev(losses[ranked[0]]) / math.sqrt(len(losses[ranked[0]]))
    rank = ranked.index(found) + 1
    return (
        f"| {data} | {best:.4f} ± {standard_error:.4f} | {loss:.4f} (rank {rank} of {len(ranked)}) | "
        f"{'yes' if loss <= best + standard_error else '**no**'} | {halving_epochs / grid_epochs:.3f} | "
        f"{halving_s / grid_s:.2f} |"
    )


def main() -> None:
    described = hardware()
    folder = Path(tempfile.mkdtemp(prefix="regcore-bench-"))
    options = StackOptions(port=free_port(), data_dir=folder)
    with EmbeddedStack(options, lambda part, line: None) as stack, Client(stack.url, stack.api_key) as client:
        rows = [row(client, data) for data in DATA_SETS]
    shutil.rmtree(folder)
    text = (
        f"81 candidates (L1 strength by learning rate), 3 seeds, 27 epochs, one hidden layer of 32. {described}.\n\n"
        "| data set | grid's best validation loss ± standard error | what halving found, as the grid measured it | "
        "within one standard error | share of member-epochs | share of the time |\n"
        "| --- | ---: | ---: | --- | ---: | ---: |\n" + "\n".join(rows)
    )
    keep("halving", "Halving against the full grid", text)


if __name__ == "__main__":
    main()
