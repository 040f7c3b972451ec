"""Samples per second of `regcore.train` against the article's loop written plainly, Keras, Lightning and skorch.

All train the article's 784-128-10 network with L1 on mnist-5k's train split, batch 64, SGD with momentum, on the CPU,
and are timed from the end of the first epoch to the end of the last, so that no one pays for set-up. No one evaluates
in between. Rounds are interleaved; a ratio is taken inside a round, so a busy machine slows both its sides.

    python benchmarks/solo_training.py [--rounds 5] [--epochs 9] [--threads 1]

Goal: at least twice the plain loop with torch's default DataLoader (hoped for: 2.4 times), both on one thread.

A peer that is not installed is left out: `pip install keras lightning skorch`.
"""

import argparse
import importlib.util
import logging
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import torch
from _report import hardware, keep
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from regcore import JobSpec, train
from regcore.data.prepare_known import prepare

STRENGTH, BATCH_SIZE, LEARNING_RATE, MOMENTUM = 1e-5, 64, 0.01, 0.9
EpochEnds = list[float]


def spec(epochs: int, method: str, *, eval_every_epochs: int) -> JobSpec:
    return JobSpec.model_validate(
        {
            "data": {"kind": "builtin", "name": "mnist-5k"},
            "model": {"kind": "mlp", "hidden": [128]},
            "optimizer": {"kind": "sgd", "learning_rate": LEARNING_RATE, "momentum": MOMENTUM},
            "regularizers": [{"kind": "l1", "strength": STRENGTH, "method": method}],
            "training": {"epochs": epochs, "batch_size": BATCH_SIZE, "eval_every_epochs": eval_every_epochs},
            "resources": {"device": "cpu"},
        }
    )


ROWS = prepare(spec(1, "proximal", eval_every_epochs=1)).train
X, Y = ROWS.x.flatten(1), ROWS.y
STEPS_PER_EPOCH = -(-len(Y) // BATCH_SIZE)


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def l1_of(module: nn.Module) -> torch.Tensor:
    return STRENGTH * sum(p.abs().sum() for name, p in module.named_parameters() if name.endswith("weight"))


def rate(ends: EpochEnds) -> float:
    return (len(ends) - 1) * len(Y) / (ends[-1] - ends[0])


def regcore_rate(method: str, *, eval_every_epoch: bool) -> Callable[[int], float]:
    def measure(epochs: int) -> float:
        asked: list[float] = []

        def clock() -> bool:
            asked.append(time.perf_counter())
            return False

        train(spec(epochs, method, eval_every_epochs=1 if eval_every_epoch else epochs), should_stop=clock)
        # It is asked before each step: the first step of an epoch is asked for when the one before has ended.
        return rate(asked[STEPS_PER_EPOCH::STEPS_PER_EPOCH])

    return measure


def plain_rate(epochs: int) -> float:
    torch.manual_seed(0)
    module, loss_of = network(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(module.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    batches = DataLoader(TensorDataset(X, Y), batch_size=BATCH_SIZE, shuffle=True)
    ends: EpochEnds = []
    for _ in range(epochs):
        running = 0.0
        for x, y in batches:
            optimizer.zero_grad()
            loss = loss_of(module(x), y) + l1_of(module)
            loss.backward()
            optimizer.step()
            running += loss.item()
        ends.append(time.perf_counter())
    return rate(ends)


def keras_rate(epochs: int) -> float:
    import keras

    ends: EpochEnds = []
    penalty = keras.regularizers.L1(STRENGTH)
    model = keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(128, activation="relu", kernel_regularizer=penalty),
            keras.layers.Dense(10, kernel_regularizer=penalty),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(LEARNING_RATE, momentum=MOMENTUM), loss)
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))
    model.fit(X.numpy(), Y.numpy(), batch_size=BATCH_SIZE, epochs=epochs, verbose=0, callbacks=[note])
    return rate(ends)


def lightning_rate(epochs: int) -> float:
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    ends: EpochEnds = []

    class Article(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = network()

        def training_step(self, batch: Any, _: int) -> torch.Tensor:
            x, y = batch
            return nn.functional.cross_entropy(self.network(x), y) + l1_of(self.network)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)

        def on_train_epoch_end(self) -> None:
            ends.append(time.perf_counter())

    trainer = lightning.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Article(), DataLoader(TensorDataset(X, Y), batch_size=BATCH_SIZE, shuffle=True))
    return rate(ends)


def skorch_rate(epochs: int) -> float:
    import skorch

    ends: EpochEnds = []

    class Article(skorch.NeuralNetClassifier):
        def get_loss(self, *args: Any, **kwargs: Any) -> torch.Tensor:
            return super().get_loss(*args, **kwargs) + l1_of(self.module_)

        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            super().on_epoch_end(net, **kwargs)
            ends.append(time.perf_counter())

    classifier = Article(
        network(), criterion=nn.CrossEntropyLoss, optimizer=torch.optim.SGD, optimizer__momentum=MOMENTUM,
        lr=LEARNING_RATE, batch_size=BATCH_SIZE, max_epochs=epochs, iterator_train__shuffle=True,
        train_split=None, verbose=0,
    )  # fmt: skip
    classifier.fit(X.numpy(), Y.numpy())
    return rate(ends)


def contestants() -> dict[str, Callable[[int], float]]:
    entries = {
        "RegCore, L1 proximal": regcore_rate("proximal", eval_every_epoch=False),
        "RegCore, L1 subgradient": regcore_rate("subgradient", eval_every_epoch=False),
        "RegCore, evaluating each epoch": regcore_rate("proximal", eval_every_epoch=True),
        f"plain loop (torch {torch.__version__})": plain_rate,
    }
    for name, measure in (("keras", keras_rate), ("lightning", lightning_rate), ("skorch", skorch_rate)):
        if importlib.util.find_spec(name) is not None:
            entries[f"{name} {version(name)}"] = measure
    return entries


def table(rates: dict[str, list[float]]) -> str:
    """Median rates, and the ratio of RegCore's first row to each in the same round."""
    ours = next(iter(rates.values()))
    lines = ["| trainer | samples/s, median | RegCore is faster by (median, range) |", "| --- | ---: | ---: |"]
    for name, theirs in rates.items():
        ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        lines.append(f"| {name} | {statistics.median(theirs):,.0f} | {spread} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1, help="of torch, for all of them")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    # Peers warn of few data-loader workers and the like; the settings here are meant.
    warnings.simplefilter("ignore")
    entries = contestants()
    described = hardware()
    rates: dict[str, list[float]] = {name: [] for name in entries}
    for _ in range(options.rounds):
        for name, measure in entries.items():
            rates[name].append(measure(options.epochs))
            print(f"{name}: {rates[name][-1]:,.0f}", file=sys.stderr, flush=True)
    text = (
        f"784-128-10 with L1 on mnist-5k, batch {BATCH_SIZE}, {options.rounds} interleaved rounds of {options.epochs} "
        f"epochs. {described}.\n\n{table(rates)}"
    )
    keep("solo-training", "Solo training", text)


if __name__ == "__main__":
    main()
