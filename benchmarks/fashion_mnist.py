"""The whole of Fashion-MNIST: `regcore.train` against a plain loop, in samples per second.

    python benchmarks/fashion_mnist.py [--rounds 3] [--epochs 4]

Needs the set's files: Debian's package `dataset-fashion-mnist`, or torchvision's files in `REGCORE_DATA_SETS_DIR`.
Both train a 784-128-10 network with L1 on 48,000 pictures, batch 64, SGD with momentum, on the CPU, and are timed from
the end of the first epoch to the end of the last. A ratio is taken inside a round.
"""

import argparse
import statistics
import time

import torch
from _report import hardware, keep
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from regcore import JobSpec, train
from regcore.data.prepare_known import prepare
from regcore.data.prepared import PreparedData
from regcore.errors import InvalidDataError

STRENGTH, BATCH_SIZE, LEARNING_RATE, MOMENTUM = 1e-5, 64, 0.01, 0.9


def spec(epochs: int) -> JobSpec:
    return JobSpec.model_validate(
        {
            "data": {"kind": "torchvision", "name": "FashionMNIST"},
            "model": {"kind": "mlp", "hidden": [128]},
            "optimizer": {"kind": "sgd", "learning_rate": LEARNING_RATE, "momentum": MOMENTUM},
            "regularizers": [{"kind": "l1", "strength": STRENGTH}],
            "training": {"epochs": epochs, "batch_size": BATCH_SIZE, "eval_every_epochs": epochs},
            "resources": {"device": "cpu"},
        }
    )


def regcore_epoch_ends(epochs: int, steps_per_epoch: int) -> tuple[list[float], float]:
    """When each epoch but the last had ended, and the accuracy on the official test split."""
    asked: list[float] = []

    def clock() -> bool:
        asked.append(time.perf_counter())
        return False

    result = train(spec(epochs), should_stop=clock)
    # It is asked before each step: the first step of an epoch is asked for when the one before has ended.
    return asked[steps_per_epoch::steps_per_epoch], result.metrics["test/accuracy"]


def plain_epoch_ends(epochs: int, data: PreparedData) -> list[float]:
    torch.manual_seed(0)
    network, loss_of = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    rows = TensorDataset(data.train.x.flatten(1), data.train.y)
    ends: list[float] = []
    for _ in range(epochs):
        for x, y in DataLoader(rows, batch_size=BATCH_SIZE, shuffle=True):
            optimizer.zero_grad()
            penalty = STRENGTH * sum(p.abs().sum() for p in network.parameters() if p.ndim > 1)
            loss = loss_of(network(x), y) + penalty
            loss.backward()
            optimizer.step()
        ends.append(time.perf_counter())
    return ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    if options.epochs < 3:
        parser.error(f"expected --epochs of 3 or more, of which the first is not timed; received {options.epochs}")
    began_at = time.perf_counter()
    try:
        data = prepare(spec(options.epochs))
    except InvalidDataError as error:
        raise SystemExit(f"{error} Install Debian's package dataset-fashion-mnist. {error.remedy}") from None
    read_s = time.perf_counter() - began_at
    num_rows = len(data.train.y)
    described = hardware()
    ours, theirs = [], []
    for _ in range(options.rounds):
        ends, accuracy = regcore_epoch_ends(options.epochs, -(-num_rows // BATCH_SIZE))
        ours.append((len(ends) - 1) * num_rows / (ends[-1] - ends[0]))
        ends = plain_epoch_ends(options.epochs, data)
        theirs.append((len(ends) - 1) * num_rows / (ends[-1] - ends[0]))
    ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
    keep(
        "fashion-mnist",
        "The whole of Fashion-MNIST",
        f"{num_rows:,} rows, read in {read_s:.1f} s; {options.rounds} rounds of {options.epochs} epochs. {described}."
        "\n\n"
        f"| what | measured, median |\n| --- | ---: |\n| RegCore, samples/s | {statistics.median(ours):,.0f} |\n"
        f"| plain loop, samples/s | {statistics.median(theirs):,.0f} |\n"
        f"| RegCore is faster by | {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |\n"
        f"| accuracy on the official test split | {accuracy:.3f} |",
    )


if __name__ == "__main__":
    main()
