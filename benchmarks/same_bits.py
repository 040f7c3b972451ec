"""Whether two versions of the engine give the same weights to the bit: a refactoring must, or say why not.

    python benchmarks/same_bits.py --write before.json      # with the old version
    python benchmarks/same_bits.py --against before.json    # with the new one

Every optimizer, regularizer and built-in set, alone and four at once, and runs that were stopped and resumed. Hashes
hold for one machine and one version of torch only, so none are committed.
"""

import argparse
import itertools
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from regcore import train
from regcore.errors import TrainingError, TrainingStopped
from regcore.loop.group import Newcomer, train_group
from regcore.plan import make_plan

Spec = dict[str, Any]

OPTIMIZERS: dict[str, Spec] = {
    "sgd": {"kind": "sgd", "learning_rate": 0.05},
    "sgd_plain": {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.0},
    "nesterov": {"kind": "sgd", "learning_rate": 0.02, "nesterov": True, "schedule": {"kind": "cosine"}},
    "adam": {"kind": "adam", "learning_rate": 0.003},
    "adamw": {"kind": "adamw", "learning_rate": 0.003, "weight_decay": 0.01},
    "rmsprop": {"kind": "rmsprop", "learning_rate": 0.001},
    "rmsprop_momentum": {"kind": "rmsprop", "learning_rate": 0.001, "momentum": 0.9},
}
REGULARIZERS: dict[str, list[Spec]] = {
    "none": [],
    "l1": [{"kind": "l1", "strength": 1e-3}],
    "l1_subgradient": [{"kind": "l1", "strength": 1e-3, "method": "subgradient"}],
    "l2": [{"kind": "l2", "strength": 1e-2, "schedule": {"kind": "constant", "warmup_epochs": 1}}],
    "elastic_net": [{"kind": "elastic_net", "l1": 1e-3, "l2": 1e-2}],
    "weight_decay": [{"kind": "weight_decay", "strength": 1e-2}],
    "dropout": [{"kind": "dropout", "p": 0.2}, {"kind": "dropout", "p": 0.1, "where": "input"}],
    "early_stopping": [{"kind": "early_stopping", "patience": 1}, {"kind": "l2", "strength": 1e-4}],
}
SETS = ("digits", "mnist-5k", "breast-cancer", "wine", "diabetes")


def specs() -> Iterator[tuple[str, Spec]]:
    """Every case by its name."""
    for (optimizer, fields), (regularizer, parts) in itertools.product(OPTIMIZERS.items(), REGULARIZERS.items()):
        yield f"digits {optimizer} {regularizer}", _spec(optimizer=fields, regularizers=parts)
    for name in SETS:
        yield f"{name} whole", _spec(data={"kind": "builtin", "name": name}, regularizers=REGULARIZERS["l1"])
        linear = {"data": {"kind": "builtin", "name": name}, "model": {"kind": "linear"}}
        yield f"{name} linear full", _spec(**linear, training={"epochs": 5, "batch_size": "full"})
    yield "accumulated", _spec(training={"epochs": 2, "batch_size": 32, "grad_accumulation": 3, "seed": 5})
    yield "float64", _spec(training={"epochs": 2, "precision": "float64"}, regularizers=REGULARIZERS["elastic_net"])
    yield "bfloat16", _spec(training={"epochs": 2, "precision": "bfloat16"})
    yield "balanced", _spec(task={"class_weights": "balanced"}, data={"kind": "builtin", "name": "wine"})


def _spec(**parts: Any) -> Spec:
    spec = {
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "mlp", "hidden": [32, 16]},
        "training": {"epochs": 2, "seed": 3},
    }
    return spec | parts


def alone(spec: Spec) -> str:
    """The weights of a run alone."""
    return train(spec).weights_sha256


def together(spec: Spec) -> str:
    """The weights of four that train at once, with other seeds and learning rates."""
    newcomers = []
    for k in range(4):
        optimizer = spec.get("optimizer", OPTIMIZERS["sgd"])
        own = spec | {
            "training": spec["training"] | {"seed": k},
            "optimizer": optimizer | {"learning_rate": optimizer["learning_rate"] * (1 + k) / 2},
        }
        newcomers.append(Newcomer(str(k), make_plan(own)))
    found = dict(train_group(newcomers))
    return " ".join(str(getattr(found[str(k)], "weights_sha256", found[str(k)]))[:16] for k in range(4))


def resumed(spec: Spec) -> str:
    """The weights of a run that was stopped in its second epoch and resumed."""
    with tempfile.TemporaryDirectory() as folder:
        calls = itertools.count()
        try:
            train(spec, resume_from=folder, should_stop=lambda: next(calls) == 25)
        except TrainingStopped:
            return train(spec, resume_from=folder).weights_sha256
    return "was not stopped"


WAYS: dict[str, Callable[[Spec], str]] = {"alone": alone, "together": together, "resumed": resumed}


def hashes() -> dict[str, str]:
    """The hashes of all cases."""
    found = {}
    for (name, spec), (way, run) in itertools.product(specs(), WAYS.items()):
        if sys.stderr.isatty():
            print(f"\r{way:<9} {name:<40}", end="", file=sys.stderr)
        try:
            found[f"{way}: {name}"] = run(spec)
        except TrainingError as error:
            found[f"{way}: {name}"] = type(error).__name__
    return found


def main() -> int:
    """Write the hashes, or compare them; 1 where one differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, help="where to write this version's hashes")
    parser.add_argument("--against", type=Path, help="the other version's hashes")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found = hashes()
    if options.write is not None:
        options.write.write_text(json.dumps(found, indent=1))
    before = found if options.against is None else json.loads(options.against.read_text())
    differing = [name for name, digest in before.items() if found.get(name) != digest]
    for name in differing:
        print(f"differs: {name}\n    {before[name]}\n    {found.get(name)}")
    print(f"{len(before) - len(differing)} of {len(before)} cases give the same bits")
    return 1 if differing else 0


if __name__ == "__main__":
    raise SystemExit(main())
