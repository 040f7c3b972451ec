from typing import Any

import pytest

from regcore.plan import make_plan
from regcore.study.sweep.duration import estimate_s, estimate_text, num_evaluations, pass_duration_s

USUAL: dict[str, Any] = {"num_members": 5, "num_steps": 1000, "batch_size": 32, "num_evaluations": 10}


def plan(hidden: int = 64) -> Any:
    return make_plan({"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "mlp", "hidden": [hidden]}})


@pytest.mark.parametrize("field", list(USUAL))
def test_more_work_takes_longer(field: str) -> None:
    more = USUAL | {field: 2 * USUAL[field]}

    assert pass_duration_s(plan(), **USUAL) < pass_duration_s(plan(), **more)


def test_a_larger_network_takes_longer() -> None:
    assert pass_duration_s(plan(64), **USUAL) < pass_duration_s(plan(256), **USUAL)


def test_a_layer_of_images_takes_time_however_small_it_is() -> None:
    shallow, deep = (
        make_plan({"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "cnn", "channels": channels}})
        for channels in ([1], [1, 1])
    )

    assert pass_duration_s(deep, **USUAL) - pass_duration_s(shallow, **USUAL) > 1.0


def test_a_sweep_takes_the_time_of_its_passes_for_each_seed() -> None:
    training = {"epochs": 10, "batch_size": 32, "eval_every_epochs": 5}
    one = {"base": {"training": training}, "variants": [{"name": "nothing"}], "seeds": [0]}

    lasts_s = estimate_s(plan(), None, one)

    assert estimate_s(plan(), None, one | {"seeds": [0, 1, 2]}) == pytest.approx(3 * lasts_s)
    assert estimate_s(plan(), None, one | {"variants": [{"name": "a"}, {"name": "b"}]}) == pytest.approx(2 * lasts_s)
    patch = [{"op": "replace", "path": "/training/epochs", "value": 100}]
    assert estimate_s(plan(), plan(), one | {"variants": [{"name": "a", "patch": patch}]}) > lasts_s


def test_the_last_epoch_is_always_evaluated() -> None:
    assert num_evaluations({"epochs": 10, "eval_every_epochs": 4}) == 3


def test_an_estimate_above_the_budget_says_so() -> None:
    assert "more than the 10 s of the budget" in estimate_text(20, 10)
    assert "more than the 1.6 s of the budget" in estimate_text(20, 1.55987)
    assert "more than" not in estimate_text(5, 10)
