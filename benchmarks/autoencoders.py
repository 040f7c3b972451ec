"""What an autoencoder loses beside PCA with a code of the same width, and beside the same network in plain PyTorch.

    python benchmarks/autoencoders.py [--codes 16 32] [--epochs 30]

MNIST-5k, 60/20/20: mean squared error of a pixel on the test rows, all in [0, 1]. The plain network has the same layers
and optimizer, but other first weights and another order of rows: it shows whether the figure is that of the network.
"""

import argparse
import time
from typing import Any

import torch
from _report import hardware, keep
from sklearn.decomposition import PCA
from torch import nn

from regcore import JobSpec, Result, train
from regcore.data.prepare_known import prepare
from regcore.data.prepared import Split
from regcore.layers import build_module

BATCH_SIZE, LEARNING_RATE = 64, 0.003
HIDDEN = {"dense": [256], "convolutional": [16, 32]}


def spec(form: str, code: int, epochs: int) -> dict[str, Any]:
    return {
        "data": {"kind": "builtin", "name": "mnist-5k"},
        "task": {"kind": "reconstruction"},
        "model": {
            "kind": "autoencoder",
            "hidden": HIDDEN[form],
            "code": code,
            "convolutional": form == "convolutional",
        },
        "optimizer": {"kind": "adam", "learning_rate": LEARNING_RATE, "schedule": {"kind": "cosine"}},
        "training": {"epochs": epochs, "batch_size": BATCH_SIZE, "eval_every_epochs": epochs},
        "resources": {"device": "cpu"},
    }


def plain_error(result: Result, train_x: torch.Tensor, test_x: torch.Tensor, epochs: int) -> float:
    """The test error of the same layers trained by a loop of a few lines."""
    torch.manual_seed(1)
    network = build_module(result.plan.layers, result.plan.row)
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            module.reset_parameters()
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * -(-len(train_x) // BATCH_SIZE))
    for _ in range(epochs):
        for rows in torch.randperm(len(train_x)).split(BATCH_SIZE):
            x = train_x[rows]
            optimizer.zero_grad()
            nn.functional.mse_loss(network(x).reshape(x.shape), x).backward()
            optimizer.step()
            rate.step()
    network.eval()
    with torch.no_grad():
        return nn.functional.mse_loss(network(test_x).reshape(test_x.shape), test_x).item()


def pca_error(train_rows: Split, test_rows: Split, code: int) -> float:
    train_x, test_x = (rows.x.flatten(1).numpy() for rows in (train_rows, test_rows))
    pca = PCA(code, random_state=0).fit(train_x)
    return float(((pca.inverse_transform(pca.transform(test_x)) - test_x) ** 2).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codes", type=int, nargs="+", default=[16, 32])
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()
    lines = []
    for code in options.codes:
        data = prepare(JobSpec.model_validate(spec("dense", code, options.epochs)))
        of_pca = pca_error(data.train, data.test, code)
        for form in HIDDEN:
            began_at = time.perf_counter()
            result = train(spec(form, code, options.epochs))
            took_s = time.perf_counter() - began_at
            ours = result.metrics["test/reconstruction_error"]
            theirs = plain_error(result, data.train.x, data.test.x, options.epochs)
            lines.append(
                f"| {form} | {code} | {ours:.4f} | {theirs:.4f} | {of_pca:.4f} | {ours / of_pca:.2f} | {took_s:.0f} s |"
            )
    keep(
        "autoencoders",
        "Autoencoders beside PCA",
        f"MNIST-5k, {options.epochs} epochs; test error of a pixel. {hardware()}.\n\n"
        "| network | code | RegCore | the same in plain PyTorch | PCA | RegCore ÷ PCA | took |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n" + "\n".join(lines),
    )


if __name__ == "__main__":
    main()
