"""Fashion-MNIST with convolutions: `regcore.train` beside a plain loop of the same network, in accuracy and time.

    python benchmarks/fashion_mnist_images.py [--models cnn resnet18] [--epochs 2] [--rows 10000] [--threads 1]

Needs the set's files: Debian's package `dataset-fashion-mnist`, or torchvision's files in `REGCORE_DATA_SETS_DIR`.
Each network trains on the first rows of the train split, stratified, in batches of 64 by Adam, and is scored on the
official 10,000 test images. The plain loop makes the same module with torch's own first values, shuffles by a
DataLoader, and is timed in the same process, the two one after the other. Seconds are of the training steps alone.
"""

import argparse
import time
from collections.abc import Callable

import torch
from _report import hardware, keep
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models import resnet18

from regcore import Result, train
from regcore.data.prepared import PreparedData
from regcore.errors import InvalidDataError

BATCH_SIZE, LEARNING_RATE, SEED = 64, 1e-3, 0


def plain_cnn() -> nn.Module:
    """The spec's `cnn` with its defaults, by hand."""
    blocks: list[nn.Module] = []
    for inputs, channels in ((1, 32), (32, 64)):
        blocks += [
            nn.Conv2d(inputs, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(64 * 7 * 7, 10))


def plain_resnet() -> nn.Module:
    """torchvision's, with one channel in its first layer."""
    net = resnet18(num_classes=10)
    net.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    return net


MODELS: dict[str, tuple[dict[str, object], Callable[[], nn.Module]]] = {
    "cnn": ({"kind": "cnn"}, plain_cnn),
    "resnet18": ({"kind": "torchvision", "name": "resnet18", "small_images": False}, plain_resnet),
}


def ours(model: dict[str, object], num_rows: int, epochs: int) -> tuple[Result, float]:
    """The result, and the seconds of its steps: of the time between two steps but for the evaluation at the end."""
    asked: list[float] = []

    def clock() -> bool:
        asked.append(time.perf_counter())
        return False

    spec = {
        "data": {"kind": "torchvision", "name": "FashionMNIST", "validation_fraction": 0.0, "train_limit": num_rows},
        "model": model,
        "optimizer": {"kind": "adam", "learning_rate": LEARNING_RATE},
        "training": {"epochs": epochs, "batch_size": BATCH_SIZE, "seed": SEED, "eval_every_epochs": epochs},
        "resources": {"device": "cpu"},
    }
    result = train(spec, should_stop=clock)
    num_steps = result.plan.num_steps
    return result, (asked[num_steps - 1] - asked[0]) * num_steps / (num_steps - 1)


def theirs(make: Callable[[], nn.Module], data: PreparedData, epochs: int) -> tuple[nn.Module, float]:
    """The trained module, and the seconds of its steps."""
    torch.manual_seed(SEED)
    net, loss_of = make(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    rows = DataLoader(TensorDataset(data.train.x, data.train.y), batch_size=BATCH_SIZE, shuffle=True)
    began_at = time.perf_counter()
    for _ in range(epochs):
        for x, y in rows:
            optimizer.zero_grad()
            loss_of(net(x), y).backward()
            optimizer.step()
    return net.eval(), time.perf_counter() - began_at


@torch.no_grad()
def accuracy(net: nn.Module, data: PreparedData) -> float:
    assert data.test is not None, "the set has official test images"
    batches = zip(data.test.x.split(1_000), data.test.y.split(1_000), strict=True)
    return sum(int((net(x).argmax(1) == y).sum()) for x, y in batches) / len(data.test.y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    described = hardware()
    lines = []
    for name in options.models:
        model, make = MODELS[name]
        try:
            result, our_s = ours(model, options.rows, options.epochs)
        except InvalidDataError as error:
            raise SystemExit(f"{error} Install Debian's package dataset-fashion-mnist. {error.remedy}") from None
        net, their_s = theirs(make, result.data, options.epochs)
        assert sum(each.numel() for each in net.parameters()) == result.plan.num_parameters, "one network twice"
        plain = accuracy(net, result.data)
        lines.append(
            f"| {name} | {result.plan.num_parameters:,} | {result.metrics['test/accuracy']:.3f} | {plain:.3f} | "
            f"{our_s:.1f} | {their_s:.1f} | {their_s / our_s:.2f} |"
        )
    keep(
        "fashion-mnist-images",
        "Fashion-MNIST with convolutions",
        f"{options.rows:,} train images, {options.epochs} epoch(s). {described}.\n\n"
        "| model | parameters | test accuracy | plain loop's | steps, s | plain loop's | RegCore is faster by |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n" + "\n".join(lines),
    )


if __name__ == "__main__":
    main()
