"""Spoken digits of voices that were never heard: a CNN on log-mel spectrograms, beside scikit-learn and plain torch.

The built-in set `tiny-speech`, split by voice, with five seeds of the split: 13 voices train, 3 validate, 4 test. The
peers of the accuracy are scikit-learn's classifiers on the mean and the deviation of each band over the steps of a
sound. The peer of the speed is the same network as people write it in torch over the same padded rows: its batch norm
counts padding too, which ours leaves out. One member takes turns with it, and eight in one pass with eight passes of
one, as in `network_kinds.py`.

    python benchmarks/sounds.py [--pairs 60] [--threads 1]

Goals: the CNN better than its peers; K = 1 at least 0.95 of the plain loop's speed, K = 8 at least 1.2 times as fast
as one by one.
"""

import argparse
import time
from statistics import mean
from typing import Any

import numpy as np
import torch
from _report import hardware, keep
from _stacks import keep_freed_memory, stack_of
from network_kinds import NUM_MEMBERS, ratios
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import Tensor, nn

from regcore import train
from regcore.data.prepare_known import prepare
from regcore.data.prepared import PreparedData, Split
from regcore.plan import make_plan

SEEDS = range(5)
EPOCHS = 15
KERNEL_SIZE = 5
PEERS = {
    "scikit-learn: logistic regression on means": (lambda: LogisticRegression(max_iter=5_000), 1),
    "scikit-learn: logistic regression on means and deviations": (lambda: LogisticRegression(max_iter=5_000), 2),
    "scikit-learn: SVM on means and deviations": (SVC, 2),
}
"""A classifier, and how many numbers of each band it gets."""


class Plain(nn.Module):
    """The short form `cnn` with its defaults, as people write it over (rows, steps, bands)."""

    def __init__(self, num_bands: int) -> None:
        super().__init__()
        stages = [
            layer
            for into, out in ((num_bands, 32), (32, 64))
            for layer in (
                nn.Conv1d(into, out, KERNEL_SIZE, padding=KERNEL_SIZE // 2),
                nn.BatchNorm1d(out),
                nn.ReLU(),
                nn.MaxPool1d(2),
            )
        ]
        self.stages, self.head = nn.Sequential(*stages), nn.Linear(64, 10)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        steps = self.stages(x.mT)
        is_used = torch.arange(steps.shape[2]) < (lengths // 4).clamp(min=1)[:, None]
        logits: Tensor = self.head(steps.masked_fill(~is_used[:, None], -torch.inf).amax(2))
        return logits


def spec_of(seed: int = 0, epochs: int = EPOCHS) -> dict[str, Any]:
    return {
        "data": {"kind": "builtin", "name": "tiny-speech", "split_seed": seed},
        "model": {"kind": "cnn", "kernel_size": KERNEL_SIZE},
        "optimizer": {"kind": "adam", "learning_rate": 0.005},
        "training": {"epochs": epochs, "eval_every_epochs": 5, "seed": seed},
        "resources": {"device": "cpu"},
    }


def of_bands(split: Split, num_numbers: int) -> NDArray[Any]:
    """Mean, or mean and deviation, of each band over the steps in use."""
    assert split.lengths is not None, "sounds vary in length"
    rows = [x[:length] for x, length in zip(split.x.numpy(), split.lengths.tolist(), strict=True)]
    return np.array([np.concatenate([row.mean(0), row.std(0)][:num_numbers]) for row in rows])


def accuracies(seed: int) -> dict[str, float]:
    """Of the CNN and its peers on one split's test voices."""
    began = time.perf_counter()
    result = train(spec_of(seed))
    seconds = time.perf_counter() - began
    found = {"RegCore: cnn": result.metrics["test/accuracy"] or 0.0, "seconds": seconds}
    learned, tested = result.data.train, result.data.test
    assert isinstance(learned, Split), "it fits into memory"
    assert isinstance(tested, Split), "it fits into memory"
    for name, (classifier, num_numbers) in PEERS.items():
        model = make_pipeline(StandardScaler(), classifier()).fit(of_bands(learned, num_numbers), learned.y)
        found[name] = float(model.score(of_bands(tested, num_numbers), tested.y))
    return found


def speeds(num_pairs: int) -> tuple[list[float], list[float]]:
    """One member against plain torch, and eight at once against eight in turn."""
    spec = spec_of(epochs=100)
    data: PreparedData = prepare(make_plan(spec).resolved_spec)
    split = data.train
    assert isinstance(split, Split), "it fits into memory"
    module, loss_of = Plain(split.x.shape[2]), nn.CrossEntropyLoss()
    planned = make_plan(spec).num_parameters
    assert sum(p.numel() for p in module.parameters()) == planned, "another network"
    optimizer = torch.optim.Adam(module.parameters(), lr=0.005)
    lengths = split.lengths
    assert lengths is not None, "sounds vary in length"

    def plain(rows: Tensor) -> None:
        optimizer.zero_grad()
        loss_of(module(split.x[rows[0]], lengths[rows[0]]), split.y[rows[0]]).backward()
        optimizer.step()

    alone = stack_of(spec, 1, data)
    solo = ratios(alone.advance, plain, lambda place: alone.rows(0, place % 4), num_pairs)
    together, each = stack_of(spec, NUM_MEMBERS, data), [stack_of(spec, 1, data) for _ in range(NUM_MEMBERS)]

    def one_by_one(rows: Tensor) -> None:
        for k, stack in enumerate(each):
            stack.advance(rows[k : k + 1])

    return solo, ratios(together.advance, one_by_one, lambda place: together.rows(0, place % 4), num_pairs // 2)


def told(values: list[float], goal: float) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.2f} ({low:.2f} to {high:.2f}){' **missed**' if middle < goal else ''}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    described = hardware()
    found = [accuracies(seed) for seed in SEEDS]
    lines = ["| model | accuracy on the test voices, mean (least to largest of 5 splits) |", "| --- | ---: |"]
    for name in ("RegCore: cnn", *PEERS):
        values = [one[name] for one in found]
        lines.append(f"| {name} | {mean(values):.3f} ({min(values):.3f} to {max(values):.3f}) |")
    solo, fused = speeds(options.pairs)
    text = (
        f"tiny-speech, split by voice, {EPOCHS} epochs, {mean(one['seconds'] for one in found):.1f} s a training, "
        f"reading and transforming included. {described}.\n\n" + "\n".join(lines) + "\n\n"
        "A step of the CNN, batch 64, median (quartiles): K = 1 against the same network in plain torch "
        f"{told(solo, 0.95)} times its speed; K = 8 against eight passes of one {told(fused, 1.2)}."
    )
    keep("sounds", "Spoken digits", text)


if __name__ == "__main__":
    main()
