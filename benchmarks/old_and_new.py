"""Training by this engine and by that of another checkout, its own environment and all: is anything slower now?

    python benchmarks/old_and_new.py --old CHECKOUT [--pairs 7] [--threads 1] [WORKLOAD ...]

Both train the same specs through `regcore.train_many`, in processes that take turns, so that a busy machine slows both.
A ratio is taken within a pair; its median is told with the quartiles. What is timed is the processor's time from the
second step to the last, without evaluations and without what happens once; `--wall` times by the clock. With `--malloc`
glibc keeps freed memory, as runners have it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from _report import hardware, keep

from worker.environment import MALLOC

Spec = dict[str, Any]

CHILD = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
from regcore import train, train_many
specs, clock = json.loads(sys.argv[1]), getattr(time, sys.argv[2])
asked = []
def tick():
    asked.append(clock())
    return False
if len(specs) == 1:
    train(specs[0], should_stop=tick)
else:
    train_many(specs, should_stop=tick)
print((asked[-1] - asked[1]) * 1000)
"""


def spec(data: str, hidden: list[int], member: int = 0, **parts: Any) -> Spec:
    """A job that evaluates at its end alone."""
    epochs = parts.pop("epochs", 6)
    return {
        "data": {"kind": "builtin", "name": data},
        "model": {"kind": "mlp", "hidden": hidden},
        "optimizer": {"kind": "sgd", "learning_rate": 0.01, "momentum": 0.9},
        "regularizers": [{"kind": "l1", "strength": 1e-5 * (1 + member)}],
        "training": {"epochs": epochs, "batch_size": 64, "seed": member, "eval_every_epochs": epochs},
        "resources": {"device": "cpu"},
        **parts,
    }


ADAM = {"kind": "adam", "learning_rate": 0.001}
EVERYTHING = [
    {"kind": "elastic_net", "l1": 1e-5, "l2": 1e-4},
    {"kind": "weight_decay", "strength": 1e-3},
    {"kind": "dropout", "p": 0.2},
]
WORKLOADS: dict[str, list[Spec]] = {
    "article, K = 1": [spec("mnist-5k", [128])],
    "article, K = 1, Adam": [spec("mnist-5k", [128], optimizer=ADAM)],
    "article, K = 1, four regularizers": [spec("mnist-5k", [128], regularizers=EVERYTHING)],
    "article, K = 32": [spec("mnist-5k", [128], k, epochs=3) for k in range(32)],
    "article, K = 32, Adam": [spec("mnist-5k", [128], k, epochs=3, optimizer=ADAM) for k in range(32)],
    "digits, K = 1": [spec("digits", [64], epochs=20)],
    "digits, K = 32": [spec("digits", [64], k, epochs=12) for k in range(32)],
    "wide, K = 1": [spec("mnist-5k", [1024], epochs=3)],
}


def training_ms(checkout: Path, specs: list[Spec], options: argparse.Namespace) -> float:
    """The time from the first step to the last in a process of that checkout, in however many passes."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(options.threads), CUDA_VISIBLE_DEVICES="")
    if options.malloc:
        environment |= MALLOC
    clock = "perf_counter" if options.wall else "process_time"
    command = [str(checkout / ".venv" / "bin" / "python"), "-c", CHILD, json.dumps(specs), clock]
    return float(subprocess.run(command, cwd=checkout, env=environment, check=True, stdout=subprocess.PIPE).stdout)


def measure(name: str, options: argparse.Namespace) -> str:
    """A row of the table."""
    here = Path(__file__).resolve().parents[1]
    pairs = []
    for turn in range(options.pairs):
        order = [options.old, here] if turn % 2 else [here, options.old]  # who is second finds a warmer machine
        times = {checkout: training_ms(checkout, WORKLOADS[name], options) for checkout in order}
        pairs.append((times[options.old], times[here]))
        print(f"{name}: old {pairs[-1][0]:.0f} ms, new {pairs[-1][1]:.0f} ms", file=sys.stderr, flush=True)
    low, ratio, high = statistics.quantiles([old / new for old, new in pairs], n=4)
    old, new = (statistics.median(column) for column in zip(*pairs, strict=True))
    return f"| {name} | {old:,.0f} | {new:,.0f} | {ratio:.2f} ({low:.2f} to {high:.2f}) |"


def main() -> None:
    """Print the table, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", choices=[*WORKLOADS, []], help="all of them by default")
    parser.add_argument("--old", type=Path, help="a checkout with its own .venv")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--wall", action="store_true", help="the clock's time, not the processor's")
    parser.add_argument("--malloc", action="store_true", help="keep freed memory")
    options = parser.parse_args()
    if options.old is None:
        print("there is nothing to compare with: name a checkout of another version by --old")
        return
    options.old = options.old.resolve()
    described = hardware()
    rows = [measure(name, options) for name in options.workloads or WORKLOADS]
    clock = "by the clock" if options.wall else "processor time"
    memory = "freed memory kept" if options.malloc else "glibc's defaults"
    text = "\n".join(
        [
            f"{options.pairs} pairs, {options.threads} thread(s), {clock}, {memory}. {described}.\n",
            "| workload | old, ms | new, ms | new is faster by (median of pairs, quartiles) |",
            "| --- | ---: | ---: | ---: |",
            *rows,
        ]
    )
    keep("old-and-new", "Training by the old engine and by the new", text)


if __name__ == "__main__":
    main()
