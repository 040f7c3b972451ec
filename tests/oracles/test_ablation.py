"""Ablations with a known answer, trained for real: on data made so that one regularizer can help, and on noise."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from regcore import Result, train_many
from regcore.data.catalogue import BUILTIN, DatasetInfo
from regcore.data.load import RawData
from regcore.study.statistics import Group, GroupMember, ablate

NUM_ROWS, NUM_FEATURES = 400, 100
SEEDS = range(5)
L1 = {"kind": "l1", "strength": 0.1}
TOO_WEAK_L2 = {"kind": "l2", "strength": 1e-10}
TOO_RARE_DROPOUT = {"kind": "dropout", "p": 1e-9, "where": "input"}

SetRows = Callable[[NDArray[Any], NDArray[Any]], None]


@pytest.fixture
def set_rows(monkeypatch: pytest.MonkeyPatch) -> SetRows:
    """Puts a table in the place of `diabetes`, or of `breast-cancer` where the targets are classes.

    All else is what a user of `train_many` gets: splits, standardizing, fitting sizes, passes, results.
    """

    def let(x: NDArray[Any], y: NDArray[Any]) -> None:
        is_regression = y.dtype.kind == "f"
        name = "diabetes" if is_regression else "breast-cancer"
        info = DatasetInfo(
            name=name,
            summary="Made up.",
            kind="table",
            num_rows=len(y),
            num_test_rows=None,
            feature_shape=x.shape[1:],
            classes=None if is_regression else ("no", "yes"),
            columns=tuple(f"x{column}" for column in range(x.shape[1])),
            source="This test",
            licence="None needed",
        )
        monkeypatch.setitem(BUILTIN, name, info)
        monkeypatch.setattr("regcore.data.prepare_known.load", lambda source, data_dir, **options: RawData(info, x, y))

    return let


def ablate_for_real(
    metric: str, regularizers: Sequence[dict[str, Any]], *, data: dict[str, Any], **changes: Any
) -> dict[str, str]:
    """Train with all regularizers and with each left out in turn, on common seeds; the verdict on each."""
    variants = [list(regularizers), *([*regularizers[:k], *regularizers[k + 1 :]] for k in range(len(regularizers)))]
    results = train_many(
        [
            {
                "data": {"kind": "builtin", "test_fraction": 0.7, "validation_fraction": 0, **data},
                "regularizers": variant,
                "training": {"epochs": 60, "batch_size": 30, "seed": seed, "eval_every_epochs": 60},
                **changes,
            }
            for variant in variants
            for seed in SEEDS
        ]
    )
    names = ["full", *(regularizer["kind"] for regularizer in regularizers)]
    groups = [
        group_of(name, results[start : start + len(SEEDS)], metric)
        for name, start in zip(names, range(0, len(results), len(SEEDS)), strict=True)
    ]
    found = ablate(groups[0], groups[1:], metric)
    return {each["regularizer"]: each["verdict"] for each in found["contributions"]}


def group_of(name: str, results: Sequence[Result], metric: str) -> Group:
    return Group(
        name,
        [
            GroupMember(f"{name}-{seed}", seed, result.metrics[metric], result.rows[metric], "test")
            for seed, result in zip(SEEDS, results, strict=True)
        ],
    )


@pytest.mark.parametrize("draw", range(3))
def test_where_few_features_matter_l1_helps_and_what_cannot_act_does_not(set_rows: SetRows, draw: int) -> None:
    """Three features of a hundred carry the target, with 120 rows to tell which."""
    rng = np.random.default_rng(draw)
    x = rng.normal(size=(NUM_ROWS, NUM_FEATURES))
    set_rows(x, x[:, :3] @ np.array([2.0, -1.5, 1.0]) + rng.normal(size=NUM_ROWS))

    verdicts = ablate_for_real(
        "test/loss",
        [TOO_WEAK_L2, L1, TOO_RARE_DROPOUT],
        data={"name": "diabetes", "standardize_target": False},
        task={"loss": "half_mse"},
        model={"kind": "linear"},
        optimizer={"kind": "sgd", "learning_rate": 0.01},
    )

    assert verdicts == {"l2": "no_measurable_effect", "l1": "helps", "dropout": "no_measurable_effect"}


def test_where_every_feature_matters_alike_and_much_a_strong_l1_hurts(set_rows: SetRows) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(NUM_ROWS, 10))
    set_rows(x, x.sum(1) + 0.1 * rng.normal(size=NUM_ROWS))

    verdicts = ablate_for_real(
        "test/loss",
        [TOO_WEAK_L2, L1 | {"strength": 0.5}],
        data={"name": "diabetes", "standardize_target": False},
        task={"loss": "half_mse"},
        model={"kind": "linear"},
        optimizer={"kind": "sgd", "learning_rate": 0.01},
    )

    assert verdicts == {"l2": "no_measurable_effect", "l1": "hurts"}


def test_on_pure_noise_nothing_has_a_measurable_effect_on_accuracy(set_rows: SetRows) -> None:
    """Each regularizer acts, but on labels of a coin nobody is right more often than half of the time.

    An ablation is wrong once in twenty at most; of twelve, three or more would come by chance once in fifty.
    """
    surprises = []
    for draw in range(12):
        rng = np.random.default_rng(100 + draw)
        set_rows(rng.normal(size=(NUM_ROWS, 20)), rng.integers(0, 2, NUM_ROWS))

        verdicts = ablate_for_real(
            "test/accuracy",
            [{"kind": "l1", "strength": 1e-3}, {"kind": "l2", "strength": 0.01}, {"kind": "dropout", "p": 0.3}],
            data={"name": "breast-cancer"},
            model={"kind": "mlp", "hidden": [16]},
            optimizer={"kind": "sgd", "learning_rate": 0.05},
        )

        surprises += [verdicts] if set(verdicts.values()) != {"no_measurable_effect"} else []
    assert len(surprises) < 3, surprises
