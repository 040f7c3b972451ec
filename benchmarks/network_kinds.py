"""Convolutions, recurrence, attention and batch norm: a step of RegCore against plain torch, and of 8 members at once.

Four small networks on mnist-5k, batch 64, SGD with momentum, float32. One member takes turns with the same network as
people write it in torch, over the same rows from memory; eight members in one pass take turns with eight passes of one.
A ratio is taken in each pair, so a busy machine slows both its sides. With one thread, time is the processor's. glibc
keeps freed memory, as in a runner: without that, passes of eight convolutional networks were slower than one by one.

    python benchmarks/network_kinds.py [--pairs 60] [--threads 1] [--only NAME ...]

Goals: K = 8 never slower than one by one; K = 1 at least 0.95 of the plain loop's speed.
"""

import argparse
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from typing import Final

import torch
from _report import hardware, keep
from _stacks import Spec, clock, keep_freed_memory, stack_of
from torch import Tensor, nn

from regcore.data.prepare_known import prepare
from regcore.data.prepared import PreparedData
from regcore.plan import make_plan

Step = Callable[[Tensor], object]

NUM_MEMBERS: Final = 8
NUM_WARM_UP_PAIRS: Final = 5
GOALS: Final = (0.95, 1.0)
"""The least ratio to plain torch, and to one by one."""


class Lstm(nn.Module):
    """The rows of an image as a sequence; its last state is classified."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(28, 64, batch_first=True), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        steps, _ = self.lstm(x.squeeze(1))
        logits: Tensor = self.head(steps[:, -1])
        return logits


class Transformer(nn.Module):
    """The same sequence, one encoder block with its normalization first, the mean over steps."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(28, 32), nn.Linear(32, 10)
        self.block = nn.TransformerEncoderLayer(32, 4, 128, dropout=0.0, batch_first=True, norm_first=True)
        steps, rates = torch.arange(28.0)[:, None], torch.exp(torch.arange(0, 28, 2) * (-math.log(10_000) / 28))
        self.register_buffer("waves", torch.stack([(steps * rates).sin(), (steps * rates).cos()], dim=2).flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.block(self.embed(x.squeeze(1) + self.waves)).mean(dim=1))
        return logits


def mlp() -> nn.Module:
    hidden = nn.Linear(784, 128), nn.BatchNorm1d(128), nn.ReLU()
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(128, 10))


def cnn() -> nn.Module:
    first = nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    second = nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(32 * 49, 10))


def convolution(channels: int) -> list[Spec]:
    return [
        {"kind": "conv2d", "channels": channels, "kernel_size": 3, "padding": 1},
        {"kind": "activation"},
        {"kind": "pool", "size": 2},
    ]


NETWORKS: Final[dict[str, tuple[list[Spec], Callable[[], nn.Module]]]] = {
    "mlp, batch norm": (
        [{"kind": "linear", "features": 128}, {"kind": "batch_norm"}, {"kind": "activation"}, {"kind": "linear"}],
        mlp,
    ),
    "cnn": ([*convolution(16), *convolution(32), {"kind": "linear"}], cnn),
    "lstm": (
        [
            {"kind": "image_rows"},
            {"kind": "lstm", "hidden": 64},
            {"kind": "global_pool", "method": "last"},
            {"kind": "linear"},
        ],
        Lstm,
    ),
    "transformer": (
        [
            {"kind": "image_rows"},
            {"kind": "position", "method": "sinusoidal"},
            {"kind": "linear", "features": 32, "per_step": True},
            {"kind": "transformer_block", "num_heads": 4},
            {"kind": "global_pool"},
            {"kind": "linear"},
        ],
        Transformer,
    ),
}


def spec_of(layers: list[Spec]) -> Spec:
    return {
        "data": {"kind": "builtin", "name": "mnist-5k"},
        "model": {"kind": "layers", "layers": layers},
        "optimizer": {"kind": "sgd", "learning_rate": 0.01, "momentum": 0.9},
        "training": {"epochs": 100, "batch_size": 64},
        "resources": {"device": "cpu"},
    }


def plain_step(module: nn.Module, data: PreparedData) -> Step:
    """One step as people write it, over row numbers (1, B)."""
    loss_of, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9)
    x, y = data.train.x, data.train.y

    def step(rows: Tensor) -> None:
        optimizer.zero_grad()
        loss_of(module(x[rows[0]]), y[rows[0]]).backward()
        optimizer.step()

    return step


def seconds(step: Step, rows: Tensor) -> float:
    began = clock()
    step(rows)
    return clock() - began


def ratios(ours: Step, theirs: Step, rows_of: Callable[[int], Tensor], num_pairs: int) -> list[float]:
    """How many times faster ours is, in each pair; who goes first takes turns."""
    found = []
    for pair in range(-NUM_WARM_UP_PAIRS, num_pairs):
        rows = rows_of(pair % 40)
        steps = (ours, theirs) if pair % 2 else (theirs, ours)
        times = {step: seconds(step, rows) for step in steps}
        if pair >= 0:
            found.append(times[theirs] / times[ours])
    return found


def compare(name: str, data: PreparedData, num_pairs: int) -> tuple[list[float], list[float]]:
    """One member against plain torch, and eight at once against eight in turn."""
    layers, module = NETWORKS[name]
    spec = spec_of(layers)
    alone = stack_of(spec, 1, data)
    built, planned = sum(p.numel() for p in module().parameters()), make_plan(spec).num_parameters
    assert built == planned, f"{name}: torch's has {built:,} parameters, and RegCore's {planned:,}"
    solo = ratios(alone.advance, plain_step(module(), data), lambda place: alone.rows(0, place), num_pairs)
    together, each = stack_of(spec, NUM_MEMBERS, data), [stack_of(spec, 1, data) for _ in range(NUM_MEMBERS)]

    def one_by_one(rows: Tensor) -> None:
        for k, stack in enumerate(each):
            stack.advance(rows[k : k + 1])

    fused = ratios(together.advance, one_by_one, lambda place: together.rows(0, place), max(20, num_pairs // 2))
    return solo, fused


def row(name: str, found: Sequence[list[float]]) -> str:
    cells = []
    for goal, values in zip(GOALS, found, strict=True):
        low, middle, high = statistics.quantiles(values, n=4)
        cells.append(f"{middle:.2f} ({low:.2f} to {high:.2f}){' **missed**' if middle < goal else ''}")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=list(NETWORKS))
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    data = prepare(make_plan(spec_of(NETWORKS["cnn"][0])).resolved_spec)
    lines = [
        "| network | K = 1: times plain torch's speed, median (quartiles) | K = 8: times eight passes of one |",
        "| --- | ---: | ---: |",
    ]
    described = hardware()
    for name in options.only or NETWORKS:
        lines.append(row(name, compare(name, data, options.pairs)))
        print(lines[-1], file=sys.stderr, flush=True)
    text = f"Steps on mnist-5k, batch 64, SGD with momentum. {described}.\n\n" + "\n".join(lines)
    keep("network-kinds", "Kinds of networks", text)


if __name__ == "__main__":
    main()
