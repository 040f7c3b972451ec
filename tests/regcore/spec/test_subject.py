import pytest

from regcore.plan import make_plan
from regcore.spec import parse_spec
from regcore.spec.subject import subject_of

SPEC = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}}


def subject(metric, **changes):
    plan = make_plan(parse_spec({**SPEC, **changes}))
    return subject_of(plan.resolved_spec.model_dump(mode="json"), metric)


@pytest.mark.parametrize("metric", ["validation/loss", "test/loss", "generalization_gap"])
def test_a_loss_is_in_the_unit_of_its_kind_and_weights(metric):
    assert subject(metric) == {
        "/data/kind": "builtin",
        "/data/name": "digits",
        "/task/kind": "classification",
        "/task/loss": "cross_entropy",
        "/task/class_weights": None,
    }


@pytest.mark.parametrize(("loss", "is_same"), [("mse", True), ("half_mse", True), ("huber", False)])
def test_scaled_targets_change_the_unit_of_huber_alone(loss, is_same):
    jobs = [
        {"data": {"kind": "builtin", "name": "diabetes", "standardize_target": scaled}, "task": {"loss": loss}}
        for scaled in (True, False)
    ]

    losses, errors = ([subject(metric, **job) for job in jobs] for metric in ("test/loss", "test/mae"))

    assert (losses[0] == losses[1]) is is_same
    assert errors[0] == errors[1]


@pytest.mark.parametrize("metric", ["validation/accuracy", "test/mae"])
def test_other_metrics_are_the_same_for_any_loss(metric):
    assert subject(metric) == subject(metric, task={"class_weights": "balanced"})
    assert subject(metric) != subject(metric, data={"kind": "builtin", "name": "wine"})
