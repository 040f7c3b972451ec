import pytest

from regcore import parse_spec
from regcore.at import At
from regcore.remedies import remedies

GROWING = {"kind": "step", "every_epochs": 2, "gamma": 10}


def causes(job, step):
    return [remedy.pointer for remedy in remedies(parse_spec(job), At(step, 1, 10))]


@pytest.mark.parametrize(("step", "expected"), [(0, []), (1, []), (2, ["/optimizer/schedule/gamma"])])
def test_a_schedule_is_a_cause_once_it_has_grown(make_job, step, expected):
    assert causes(make_job(optimizer={"schedule": GROWING}), step) == [*expected, "/optimizer/learning_rate"]


def test_a_cosine_that_rises_is_one_too(make_job):
    job = make_job(regularizers=[{"kind": "l1", "strength": 1, "schedule": {"kind": "cosine", "final_factor": 50}}])

    assert causes(job, 0) == ["/optimizer/learning_rate"]
    assert causes(job, 9) == ["/regularizers/0/schedule/final_factor", "/optimizer/learning_rate"]


@pytest.mark.parametrize(("weights", "is_cause"), [([9.9] * 10, False), ([1] * 9 + [10], True), ("balanced", False)])
def test_class_weights_are_a_cause_where_they_are_large(make_job, weights, is_cause):
    found = causes(make_job(task={"class_weights": weights}), 0)

    assert ("/task/class_weights" in found) == is_cause


@pytest.mark.parametrize(
    ("optimizer", "is_cause"),
    [({"kind": "sgd", "momentum": 0.0}, True), ({"kind": "adam", "learning_rate": 0.01}, False)],
)
def test_a_penalty_is_a_cause_where_its_gradient_makes_weights_larger(make_job, optimizer, is_cause):
    """An adaptive optimizer divides by the gradient's size: there, no strength makes weights grow."""
    job = make_job(regularizers=[{"kind": "l2", "strength": 1000}]) | {"optimizer": optimizer}

    assert (causes(job, 0)[0] == "/regularizers/0/strength") == is_cause


@pytest.mark.parametrize(
    ("optimizer", "method", "is_cause"),
    [
        ({"kind": "sgd", "momentum": 0.0}, "subgradient", True),
        ({"kind": "sgd", "momentum": 0.0}, "proximal", False),
        ({"kind": "adam", "learning_rate": 0.01}, "subgradient", False),
    ],
)
def test_a_threshold_is_a_cause_where_it_takes_weights_beyond_zero(make_job, optimizer, method, is_cause):
    """A proximal operator stops at zero, and an adaptive optimizer divides by the gradient's size."""
    job = make_job(regularizers=[{"kind": "l1", "strength": 1e4, "method": method}]) | {"optimizer": optimizer}

    assert (causes(job, 0)[0] == "/regularizers/0/strength") == is_cause


def test_a_threshold_is_a_cause_from_the_step_on_in_which_momentum_has_made_it_large(make_job):
    """0.01 × 60 × (1 + 0.5) is below 1, and with ½² more above."""
    job = make_job(optimizer={"momentum": 0.5}, regularizers=[{"kind": "l1", "strength": 60, "method": "subgradient"}])

    found = [causes(job, step)[0] for step in range(3)]

    assert found == ["/optimizer/learning_rate", "/optimizer/learning_rate", "/regularizers/0/strength"]


def test_what_multiplies_most_is_named_before_the_rate_that_it_multiplies(make_job):
    job = make_job(
        optimizer={"schedule": GROWING},
        regularizers=[{"kind": "weight_decay", "strength": 1000, "schedule": GROWING}],
        task={"class_weights": [100] * 10},
    )

    assert causes(job, 9) == [
        "/regularizers/0/strength",
        "/optimizer/schedule/gamma",
        "/regularizers/0/schedule/gamma",
        "/task/class_weights",
        "/optimizer/learning_rate",
    ]
