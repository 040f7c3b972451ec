from collections.abc import Callable
from typing import Any

import pytest

from regcore.errors import SpecError
from regcore.study.sweep import parse_sweep

Make = Callable[..., dict[str, Any]]
LOG = {"kind": "log", "low": 1e-6, "high": 1e-1, "num_points": 4}


def refused(body: Any) -> dict[str, str]:
    """The wrong places of a sweep, with what is said of each."""
    with pytest.raises(SpecError) as caught:
        parse_sweep(body)
    return {error.pointer: error.message for error in caught.value.errors}


def test_only_the_base_is_required(sweep: Make) -> None:
    spec = parse_sweep(sweep())

    assert (spec.seeds, spec.strategy.kind, spec.metric, spec.mode) == ([0, 1, 2], "grid", "validation/loss", "min")
    assert list(refused({})) == ["/base"]


@pytest.mark.parametrize(("metric", "mode"), [("validation/accuracy", "max"), ("train/loss", "min")])
def test_the_mode_is_the_metrics_own(metric: str, mode: str, sweep: Make) -> None:
    assert parse_sweep(sweep(objective={"metric": metric})).mode == mode


def test_a_mode_that_is_given_stays(sweep: Make) -> None:
    assert parse_sweep(sweep(objective={"metric": "validation/accuracy", "mode": "min"})).mode == "min"


@pytest.mark.parametrize(
    ("fields", "pointer", "said"),
    [
        ({"axes": [{"pointer": "/a"}]}, "/axes/0", "received neither"),
        ({"axes": [{"pointer": "/a", "values": [1], "range": LOG}]}, "/axes/0", "received both"),
        ({"axes": [{"pointer": "a", "values": [1]}]}, "/axes/0/pointer", "Begin with a slash"),
        ({"axes": [{"pointer": "/a", "values": []}]}, "/axes/0/values", "at least 1"),
        ({"axes": [{"pointer": "/a", "range": {**LOG, "low": 0}}]}, "/axes/0/range", "must be above 0"),
        ({"axes": [{"pointer": "/a", "range": {**LOG, "low": 2}}]}, "/axes/0/range", "below high"),
        ({"axes": [{"pointer": "/a", "range": {**LOG, "num_points": 1}}]}, "/axes/0/range/num_points", "at least 2"),
        (
            {"axes": [{"pointer": "/a", "range": {**LOG, "num_points": None}}]},
            "/axes/0/range/num_points",
            "required with strategy grid",
        ),
        ({"axes": [{"pointer": "/a", "values": [1]}] * 2}, "/axes/1/pointer", "given twice"),
        ({"axes": [{"pointer": "/training/seed", "values": [1]}]}, "/axes/0/pointer", "Use these"),
        ({"axes": [{"pointer": "/data/split_seed", "values": [1]}]}, "/axes/0/pointer", "vary_split"),
        ({"variants": [{"name": "a"}, {"name": "a"}]}, "/variants/1/name", "given twice"),
        ({"variants": [{"name": ""}]}, "/variants/0/name", "match pattern"),
        ({"seeds": []}, "/seeds", "at least 1"),
        ({"seeds": [1, 1]}, "/seeds/1", "given twice"),
        ({"seeds": [-1]}, "/seeds/0", "at least 0"),
        ({"strategy": {"kind": "grit"}}, "/strategy/kind", "Did you mean 'grid'?"),
        ({"strategy": {"kind": "random", "num_trials": 3}}, "/axes", "there are none"),
        ({"strategy": {"kind": "halving", "eta": 1}}, "/strategy/eta", "at least 2"),
        ({"strategy": {"kind": "ablation"}, "axes": [{"pointer": "/a", "values": [1]}]}, "/axes", "must be empty"),
        ({"strategy": {"kind": "ablation"}, "variants": [{"name": "a"}]}, "/variants", "must be empty"),
        ({"objective": {"metric": "test/loss"}}, "/objective/metric", "Use validation/loss"),
        ({"objective": {"metric": "loss"}}, "/objective/metric", "such as validation/loss"),
        ({"objective": {"metric": "val_loss"}}, "/objective/metric", "Did you mean 'validation/loss'?"),
        ({"objective": {"metric": "val_acc"}}, "/objective/metric", "Did you mean 'validation/accuracy'?"),
        ({"objective": {"metric": "r2"}}, "/objective/metric", "Did you mean 'validation/r2'?"),
        ({"objective": {"metric": "beauty"}}, "/objective/metric", "received 'beauty'. Correct it."),
        ({"objective": {"metric": "validation/beauty"}}, "/objective/metric", "better end"),
        ({"seed": [1]}, "/seed", "Did you mean 'seeds'?"),
        ({"strategy": "grid"}, "/strategy", 'Write {"kind": "grid"}.'),
        ({"strategy": {"name": "asha"}}, "/strategy/kind", 'kind instead of name, for example {"kind": "halving"}'),
        ({"objective": "val_loss"}, "/objective", 'Write {"metric": "validation/loss"}.'),
        ({"axes": {"pointer": "/a", "values": [1]}}, "/axes", "Put it into a list."),
        ({"axes": [{"pointer": "/a", "range": {**LOG, "log": 1}}]}, "/axes/0/range/log", "is not a field here"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], pointer: str, said: str, sweep: Make) -> None:
    wrong = refused(sweep(**fields))

    assert said in wrong.get(pointer, ""), wrong


def test_values_that_no_spec_has_are_refused_before_they_are_put_into_one(sweep: Make) -> None:
    deep: Any = 1
    for _ in range(600):
        deep = [deep]
    patch = [{"op": "add", "path": "/name", "value": deep}]

    wrong = refused(sweep(axes=[{"pointer": "/a", "values": [1, deep]}], variants=[{"name": "v", "patch": patch}]))

    assert list(wrong) == ["/axes/0/values/1", "/variants/0/patch/0/value"]
    assert all("at most 50 levels deep" in message for message in wrong.values())


@pytest.mark.parametrize(
    ("fields", "is_path"),
    [
        ({"axes": [{"pointer": "/a", "range": LOG}]}, True),
        ({"axes": [{"pointer": "/a", "values": [1, 0.5]}]}, True),
        ({"axes": [{"pointer": "/a", "values": [1, None]}]}, False),
        ({"axes": [{"pointer": "/a", "values": [True, False]}]}, False),
        ({"axes": [{"pointer": "/a", "range": LOG}, {"pointer": "/b", "range": LOG}]}, False),
        ({"axes": [{"pointer": "/a", "range": LOG}], "variants": [{"name": "v"}]}, False),
        ({}, False),
    ],
)
def test_a_path_is_along_one_axis_of_numbers(fields: dict[str, Any], is_path: bool, sweep: Make) -> None:
    assert (parse_sweep(sweep(**fields)).path_axis is not None) == is_path
