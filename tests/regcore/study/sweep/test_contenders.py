import math
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sound_rows import SoundRows
from token_rows import TokenRows

from regcore import train_many
from regcore.data.facts import known_facts
from regcore.errors import SpecError
from regcore.plan import make_plan
from regcore.study.sweep import expand, parse_sweep
from regcore.study.sweep.contenders import (
    REGULARIZERS,
    RIDGE,
    Contender,
    Json,
    base_of,
    batch_size_of,
    constant,
    linear,
    linear_training,
    model_for,
    regularized,
)


def subject(name: str) -> tuple[Json, Any]:
    data = {"kind": "builtin", "name": name}
    return data, make_plan({"data": data, "model": {"kind": "linear"}})


def trained(name: str, variant: Json) -> list[Any]:
    """The results of a variant, one for each of its values."""
    data, plan = subject(name)
    sweep = parse_sweep({"base": base_of(data, None, model_for(plan.row, 200), plan, 100), "variants": [variant]})
    base = make_plan(sweep.base).resolved_spec.model_dump(mode="json")
    return train_many([candidate.spec for candidate in expand(sweep, base, 100)])


def rows_of(split: Any) -> tuple[np.ndarray, np.ndarray]:
    return split.x.double().numpy(), split.y.double().numpy().ravel()


def test_linear_ends_at_the_optimum_of_ridge_regression() -> None:
    results = trained("diabetes", linear(subject("diabetes")[1], 1000, 3))

    for result, strength in zip(results, RIDGE.thinned(3).values, strict=True):
        x, y = rows_of(result.data.train)
        optimum = Ridge(alpha=strength * len(x) / 2).fit(x, y)
        head = result.model.get_parameter("head.weight").detach().double().numpy().ravel()
        assert np.allclose(head, optimum.coef_, atol=2e-3), strength


def test_linear_ends_at_the_optimum_of_logistic_regression() -> None:
    results = trained("wine", linear(subject("wine")[1], 1000, 3))

    for result, strength in zip(results, RIDGE.thinned(3).values, strict=True):
        x, y = rows_of(result.data.train)
        optimum = LogisticRegression(C=1 / (strength * len(x)), max_iter=10_000, tol=1e-10).fit(x, y)
        log_loss = -np.log(optimum.predict_proba(x)[np.arange(len(x)), y.astype(int)]).mean()
        penalized = log_loss + strength / 2 * np.square(optimum.coef_).sum()
        own = result.model.get_parameter("head.weight").detach().double().numpy()
        found = result.metrics["train/loss"] + strength / 2 * np.square(own).sum()
        assert found == pytest.approx(penalized, abs=5e-4), strength


def test_constant_predicts_the_shares_of_the_classes() -> None:
    (result,) = trained("wine", constant(subject("wine")[1], 300))

    _, y = rows_of(result.data.train)
    shares = np.unique(y, return_counts=True)[1] / len(y)
    assert result.metrics["train/loss"] == pytest.approx(-(shares * np.log(shares)).sum(), rel=1e-3)
    assert not result.model.get_parameter("head.weight").any()


def test_constant_predicts_the_mean() -> None:
    (result,) = trained("diabetes", constant(subject("diabetes")[1], 300))

    assert result.metrics["train/r2"] == pytest.approx(0, abs=1e-3)
    assert not result.model.get_parameter("head.weight").any()


@pytest.mark.parametrize(
    ("num_values", "expected"), [(9, (1, 2, 3, 4, 5)), (5, (1, 2, 3, 4, 5)), (3, (1, 3, 5)), (2, (1, 5)), (1, (3,))]
)
def test_thinned_values_keep_the_ends(num_values: int, expected: tuple[int, ...]) -> None:
    assert Contender("l2", "strength", (1, 2, 3, 4, 5)).thinned(num_values).values == expected


@pytest.mark.parametrize(("value", "expected"), [(1, (1, 2)), (2, (1, 2, 3)), (3, (2, 3)), (7, (7,))])
def test_around_a_value_are_its_neighbours(value: int, expected: tuple[int, ...]) -> None:
    assert Contender("l2", "strength", (1, 2, 3)).around(value).values == expected


def test_two_regularizers_together_are_tuned_on_every_pair_of_values() -> None:
    l1, dropout = Contender("l1", "strength", (0.1, 0.2)), Contender("dropout", "p", (0.3, 0.4))
    sweep = parse_sweep({"base": {}, "variants": [regularized([l1, dropout])]})

    candidates = expand(sweep, {"regularizers": []}, 100)

    assert [one.variant for one in candidates] == ["l1 + dropout"] * 4
    assert candidates[1].spec["regularizers"] == [{"kind": "l1", "strength": 0.1}, {"kind": "dropout", "p": 0.4}]


@pytest.mark.parametrize("num_rows", [1, 31, 113, 5_000, 200_000])
def test_a_batch_is_never_larger_than_the_train_split(num_rows: int) -> None:
    assert 1 <= batch_size_of(num_rows) <= num_rows


def test_a_run_has_about_the_steps_that_were_asked_for() -> None:
    data, plan = subject("digits")

    training = base_of(data, None, model_for(plan.row, 1_797), plan, 2000)["training"]

    steps = training["epochs"] * math.ceil(plan.num_rows.train / training["batch_size"])
    assert steps == pytest.approx(2000, rel=0.05)


def test_a_linear_model_of_many_rows_takes_large_batches_in_place_of_all_rows() -> None:
    plan = subject("digits")[1]
    large = plan.model_copy(update={"num_rows": plan.num_rows.model_copy(update={"train": 10**6})})

    training = linear_training(large, 1000)

    assert linear_training(plan, 1000)["batch_size"] == "full"
    assert training["epochs"] * math.ceil(10**6 / training["batch_size"]) == pytest.approx(1000, rel=0.2)


@pytest.mark.parametrize(
    ("facts_of", "first", "kind"),
    [
        (known_facts, {"kind": "conv2d", "channels": 4}, "crop_flip"),
        (TokenRows().facts, {"kind": "embedding", "features": 4}, "word_dropout"),
        (SoundRows().facts, {"kind": "lstm", "hidden": 4}, "spec_augment"),
    ],
    ids=["images", "texts", "sounds"],
)
def test_of_images_texts_and_sounds_each_has_its_augmentation(facts_of: Any, first: Json, kind: str) -> None:
    layers = [first, {"kind": "global_pool"}, {"kind": "linear"}]
    base = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "layers", "layers": layers}}
    base["training"] = {"batch_size": "full"}

    def planned(regularizer: Json) -> Any:
        try:
            return make_plan({**base, "regularizers": [regularizer]}, facts_of=facts_of)
        except SpecError:
            return None

    some = [one for one in REGULARIZERS.values() if one.of_some_rows]
    assert [one.name for one in some if planned(one.regularizer()) is not None] == [kind]
    of_each = [planned({"kind": kind, REGULARIZERS[kind].field: value}) for value in REGULARIZERS[kind].values]
    assert len({plan.fusion_key for plan in of_each}) == 1
