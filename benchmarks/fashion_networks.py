"""Accuracy on Fashion-MNIST of networks trained on 10,000 of its images, beside plain PyTorch and scikit-learn.

    python benchmarks/fashion_networks.py [--networks cnn resnet18] [--epochs 3]

Needs the set's files, as `fashion_mnist.py` does. Both train the same layers with the same optimizer on the same rows,
and are judged on the official 10,000 test images; first weights and the order of rows differ.
"""

import argparse
import time
from typing import Any

import torch
from _report import hardware, keep
from sklearn.linear_model import LogisticRegression
from torch import nn

from regcore import JobSpec, Result, train
from regcore.data.prepare import Split, prepare
from regcore.layers import build_module

NUM_ROWS, BATCH_SIZE, LEARNING_RATE, MOMENTUM = 10_000, 64, 0.05, 0.9
MODELS: dict[str, dict[str, Any]] = {
    "cnn": {"kind": "cnn", "channels": [32, 64], "hidden": [128]},
    "resnet18": {"kind": "torchvision", "name": "resnet18"},
}
EVALUATED_AT_ONCE = 500


def spec(name: str, epochs: int) -> dict[str, Any]:
    return {
        "data": {"kind": "torchvision", "name": "FashionMNIST", "train_limit": NUM_ROWS, "validation_fraction": 0.0},
        "model": MODELS[name],
        "optimizer": {
            "kind": "sgd",
            "learning_rate": LEARNING_RATE,
            "momentum": MOMENTUM,
            "schedule": {"kind": "cosine"},
        },
        "training": {"epochs": epochs, "batch_size": BATCH_SIZE, "eval_every_epochs": epochs},
        "resources": {"device": "cpu"},
    }


def plain_accuracy(result: Result, train_rows: Split, test_rows: Split, epochs: int) -> float:
    """The test accuracy of the same layers trained by a loop of a few lines."""
    torch.manual_seed(1)
    network = build_module(result.plan.layers, result.plan.row).train()
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.reset_parameters()
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * -(-len(train_rows) // BATCH_SIZE))
    for _ in range(epochs):
        for rows in torch.randperm(len(train_rows)).split(BATCH_SIZE):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(train_rows.x[rows]), train_rows.y[rows]).backward()
            optimizer.step()
            rate.step()
    network.eval()
    with torch.no_grad():
        said = torch.cat([network(x).argmax(1) for x in test_rows.x.split(EVALUATED_AT_ONCE)])
    return (said == test_rows.y).double().mean().item()


def logistic_accuracy(train_rows: Split, test_rows: Split) -> float:
    model = LogisticRegression(max_iter=300, C=0.01, tol=1e-3)
    model.fit(train_rows.x.flatten(1).numpy(), train_rows.y.numpy())
    return float(model.score(test_rows.x.flatten(1).numpy(), test_rows.y.numpy()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    data = prepare(JobSpec.model_validate(spec("cnn", options.epochs)))
    lines = [f"| logistic regression (scikit-learn) | | {logistic_accuracy(data.train, data.test):.3f} | |"]
    for name in options.networks:
        began_at = time.perf_counter()
        result = train(spec(name, options.epochs))
        took_s = time.perf_counter() - began_at
        theirs = plain_accuracy(result, data.train, data.test, options.epochs)
        lines.append(f"| `{name}` | {result.metrics['test/accuracy']:.3f} | {theirs:.3f} | {took_s:.0f} s |")
    keep(
        f"fashion-{'-'.join(options.networks)}",
        f"Fashion-MNIST, {NUM_ROWS:,} train images",
        f"{options.epochs} epochs; accuracy on the official test split. {hardware()}.\n\n"
        "| network | RegCore | plain PyTorch, scikit-learn | RegCore took |\n| --- | ---: | ---: | ---: |\n"
        + "\n".join(lines),
    )


if __name__ == "__main__":
    main()
