"""How many times faster a training step is with two threads than with one, for networks of every kind and size.

Steps on mnist-5k, SGD with momentum, float32, on the CPU. Blocks of steps of one and of two threads take turns, and a
ratio is taken in each pair; it is of the wall's time, so a busy machine shows what two threads lose there. Beside it
stands the plan's estimate of the work, by which `regcore.loop.machine` chooses, and what it chooses.

    python benchmarks/threads.py [--pairs 15] [--only NAME ...]
"""

import argparse
import statistics
import sys
import time
from itertools import islice
from typing import Final

import torch
from _report import hardware, keep
from _stacks import Spec, keep_freed_memory, stack_of
from network_kinds import NETWORKS, spec_of

from regcore.data.prepare_known import prepare
from regcore.data.prepared import PreparedData
from regcore.loop.machine import is_small
from regcore.loop.stack import Stack
from regcore.plan import make_plan

BLOCK_S: Final = 0.05
"""About how long a block of steps takes."""


def sized(model: Spec, batch_size: int = 64, num_members: int = 1) -> tuple[Spec, int]:
    spec = spec_of([])
    return spec | {"model": model, "training": spec["training"] | {"batch_size": batch_size}}, num_members


def layers(name: str) -> Spec:
    return {"kind": "layers", "layers": NETWORKS[name][0]}


def convolutions(*channels: int) -> Spec:
    parts: list[Spec] = []
    for each in channels:
        parts += [{"kind": "conv2d", "channels": each, "padding": 1}, {"kind": "batch_norm"}, {"kind": "activation"}]
        parts += [{"kind": "pool"}]
    return {"kind": "layers", "layers": [*parts, {"kind": "linear"}]}


def recurrent(hidden: int) -> Spec:
    pool = {"kind": "global_pool", "method": "last"}
    return {"kind": "layers", "layers": [{"kind": "lstm", "hidden": hidden}, pool, {"kind": "linear"}]}


def attending(width: int, depth: int) -> Spec:
    first = [{"kind": "position"}, {"kind": "linear", "features": width, "per_step": True}]
    blocks = [{"kind": "transformer_block", "num_heads": 4}] * depth
    return {"kind": "layers", "layers": [*first, *blocks, {"kind": "global_pool"}, {"kind": "linear"}]}


def mlp(*hidden: int) -> Spec:
    return {"kind": "mlp", "hidden": list(hidden)}


CASES: Final[dict[str, tuple[Spec, int]]] = {
    "mlp 64": sized(mlp(64)),
    "mlp 128": sized(mlp(128)),
    "mlp 128, K = 8": sized(mlp(128), num_members=8),
    "mlp 128, K = 32": sized(mlp(128), num_members=32),
    "mlp 512-512": sized(mlp(512, 512)),
    "mlp 512-512, batch 256": sized(mlp(512, 512), 256),
    "mlp 2048-2048": sized(mlp(2048, 2048)),
    "mlp 64 × 8 layers": sized(mlp(*[64] * 8)),
    "cnn 16-32": sized(layers("cnn")),
    "cnn 16-32, batch 16": sized(layers("cnn"), 16),
    "cnn 16-32, K = 8": sized(layers("cnn"), num_members=8),
    "cnn 4-8 with batch norm": sized(convolutions(4, 8)),
    "cnn 8-16 with batch norm": sized(convolutions(8, 16)),
    "cnn 32-64 with batch norm": sized(convolutions(32, 64)),
    "cnn 64-128-256 with batch norm": sized(convolutions(64, 128, 256)),
    "lstm 32": sized(recurrent(32)),
    "lstm 64": sized(recurrent(64)),
    "lstm 64, K = 8": sized(recurrent(64), num_members=8),
    "lstm 128": sized(recurrent(128)),
    "lstm 256": sized(recurrent(256)),
    "transformer 32 × 1": sized(attending(32, 1)),
    "transformer 32 × 1, K = 8": sized(attending(32, 1), num_members=8),
    "transformer 64 × 2": sized(attending(64, 2)),
    "transformer 64 × 2, batch 16": sized(attending(64, 2), 16),
    "transformer 256 × 4": sized(attending(256, 4)),
    "resnet18": sized({"kind": "torchvision", "name": "resnet18"}, 32),
}


def seconds(stack: Stack, num_threads: int, num_steps: int) -> float:
    torch.set_num_threads(num_threads)
    began = time.perf_counter()
    for _ in islice(stack.first_steps(), num_steps):
        pass
    return (time.perf_counter() - began) / num_steps


def compared(stack: Stack, num_pairs: int) -> tuple[list[float], float]:
    """How many times faster two threads are, in each pair, and the least time of a step of one."""
    seconds(stack, 2, 2)
    num_steps = max(1, round(BLOCK_S / seconds(stack, 1, 2)))
    ratios, least_s = [], float("inf")
    for pair in range(num_pairs):
        times = {num_threads: seconds(stack, num_threads, num_steps) for num_threads in ((1, 2), (2, 1))[pair % 2]}
        ratios.append(times[1] / times[2])
        least_s = min(least_s, times[1])
    return ratios, least_s


def row(name: str, data: PreparedData, num_pairs: int) -> str:
    spec, num_members = CASES[name]
    plan = make_plan(spec)
    ratios, least_s = compared(stack_of(spec, num_members, data), num_pairs)
    low, middle, high = statistics.quantiles(ratios, n=4)
    chosen = "one" if is_small(plan, num_members) else "all"
    work = f"{num_members * plan.step_work / 1e6:.0f}"
    return f"| {name} | {1000 * least_s:.2f} | {work} | {middle:.2f} ({low:.2f} to {high:.2f}) | {chosen} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--only", nargs="+", choices=list(CASES))
    options = parser.parse_args()
    keep_freed_memory()
    data = prepare(make_plan(CASES["mlp 64"][0]).resolved_spec)
    lines = [
        "| network | step of one thread, ms | its work, 10⁶ | two threads: times faster | chosen |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    described = hardware()
    for name in options.only or CASES:
        lines.append(row(name, data, options.pairs))
        print(lines[-1], file=sys.stderr, flush=True)
    keep("threads", "Threads of a training step", f"Median and quartiles. {described}.\n\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
