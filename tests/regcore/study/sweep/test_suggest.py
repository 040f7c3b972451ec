from typing import Any

import pytest

from regcore.data.facts import DataFacts, known_facts
from regcore.errors import SpecError
from regcore.plan import Ceilings
from regcore.study.sweep import plan_sweep, suggest_sweep

WINE = {"kind": "builtin", "name": "wine"}
ALL = ["nothing", "constant", "linear", "l1", "l2", "weight_decay", "dropout", "early_stopping"]


def names(sweep: dict[str, Any]) -> list[str]:
    return [variant["name"] for variant in sweep["variants"]]


@pytest.mark.parametrize("name", ["wine", "diabetes", "mnist-5k"])
@pytest.mark.parametrize("budget_s", [1, 60, 3_000])
def test_a_suggestion_is_a_sweep_whose_variants_train_in_one_pass_for_each_seed(name: str, budget_s: float) -> None:
    suggestion = suggest_sweep({"kind": "builtin", "name": name}, budget_s=budget_s)

    plan = plan_sweep(suggestion.sweep)
    passes = {(one.candidate.variant, one.seed, one.plan.fusion_key) for one in plan.members}
    assert len(passes) == len(suggestion.sweep["variants"]) * len(suggestion.sweep["seeds"])
    assert None not in {key for _, _, key in passes}
    assert f"{len(suggestion.sweep['variants'])} ways" in suggestion.reason


def test_with_time_enough_everything_is_compared_over_splits_of_each_seed() -> None:
    sweep = suggest_sweep(WINE, budget_s=3_600).sweep

    assert names(sweep) == ALL
    assert (len(sweep["seeds"]), sweep["vary_split"]) == (10, True)


def test_a_smaller_budget_takes_less_time_and_says_what_it_leaves_out() -> None:
    suggestions = [suggest_sweep(WINE, budget_s=budget_s) for budget_s in (3_600, 60, 30, 20)]

    lasting = [one.estimate_s for one in suggestions]
    assert lasting == sorted(lasting, reverse=True)
    assert all(one.estimate_s <= budget_s for one, budget_s in zip(suggestions, (3_600, 60, 30, 20), strict=True))
    assert "To fit the budget: " in suggestions[1].reason
    assert "values of each in place of 5" in suggestions[1].reason
    assert "no weight_decay and no l1" in suggestions[3].reason
    assert "To fit" not in suggestions[0].reason


def test_a_budget_that_nothing_fits_gets_the_least_and_is_told() -> None:
    suggestion = suggest_sweep(WINE, budget_s=0.1)

    assert suggestion.estimate_s > 0.1
    assert "more than the 0.1 s of the budget" in suggestion.reason


def test_given_seeds_are_kept() -> None:
    assert suggest_sweep(WINE, budget_s=20, seeds=[7, 8, 9, 10]).sweep["seeds"] == [7, 8, 9, 10]


def test_a_network_gets_only_the_regularizers_that_it_can_have() -> None:
    suggestion = suggest_sweep(WINE, model={"kind": "linear"}, budget_s=3_600)

    assert names(suggestion.sweep) == [name for name in ALL if name not in ("dropout", "linear")]
    assert "cannot have dropout" in suggestion.reason
    assert plan_sweep(suggestion.sweep).members


@pytest.mark.parametrize("model", [{"kind": "cnn", "channels": [4]}, {"kind": "rnn", "hidden": 4}])
def test_a_network_with_one_linear_layer_behind_others_is_compared_with_a_linear_model_too(model: Any) -> None:
    sweep = suggest_sweep({"kind": "builtin", "name": "digits"}, model=model, budget_s=60).sweep

    assert names(sweep)[:3] == ["nothing", "constant", "linear"]


def test_of_images_it_is_asked_whether_crops_and_flips_help() -> None:
    suggestion = suggest_sweep({"kind": "builtin", "name": "mnist-5k"}, budget_s=50_000)

    (variant,) = [one for one in suggestion.sweep["variants"] if one["name"] not in ALL]
    assert variant["name"] == "crop_flip"
    assert variant["axes"] == [{"pointer": "/regularizers/0/flip_probability", "values": [0.0, 0.5]}]
    assert "cannot have" not in suggestion.reason


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"kind": "builtin", "name": "wein"}, "/data/name"),
        (WINE | {"validation_fraction": 0.0}, "/data/validation_fraction"),
        (WINE | {"test_fraction": 0.0}, "/data/test_fraction"),
    ],
)
def test_unusable_data_are_refused_at_their_place(data: dict[str, Any], pointer: str) -> None:
    with pytest.raises(SpecError) as caught:
        suggest_sweep(data, budget_s=60)

    assert [error.pointer for error in caught.value.errors] == [pointer]


def test_a_wrong_model_is_refused_at_its_place() -> None:
    with pytest.raises(SpecError) as caught:
        suggest_sweep(WINE, model={"kind": "mlp", "hidden": [0]}, budget_s=60)

    assert [error.pointer for error in caught.value.errors] == ["/model/hidden/0"]


def test_the_facts_of_the_data_are_asked_for_once() -> None:
    asked: list[Any] = []

    def facts_of(spec: Any) -> DataFacts:
        asked.append(spec)
        return known_facts(spec)

    suggest_sweep(WINE, budget_s=60, facts_of=facts_of)

    assert len(asked) == 1


def test_ceilings_and_the_most_members_are_respected() -> None:
    ceilings = Ceilings(epochs=9, steps=100)

    suggestion = suggest_sweep(WINE, budget_s=3_600, ceilings=ceilings, max_members=60)

    assert len(plan_sweep(suggestion.sweep, ceilings, 60).members) <= 60
    with pytest.raises(SpecError, match="allows 10"):
        suggest_sweep(WINE, budget_s=3_600, max_members=10)


def test_a_table_with_fewer_rows_than_a_usual_batch_has_a_suggestion() -> None:
    few = {**WINE, "train_limit": 20}

    assert plan_sweep(suggest_sweep(few, budget_s=60).sweep).members[0].plan.num_rows.train == 20
