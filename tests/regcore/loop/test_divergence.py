import pytest

from regcore import make_plan, parse_spec
from regcore.loop.divergence import diverged

STOPPING = {"kind": "early_stopping", "metric": "validation/accuracy", "patience": 2}
HISTORY = [
    {"epoch": 2, "values": {"validation/accuracy": 0.75, "test/loss": 0.5}, "non_finite": []},
    {"epoch": 4, "values": {"validation/accuracy": 0.5, "test/loss": None}, "non_finite": ["test/loss"]},
]


def plan_of(job):
    return make_plan(parse_spec(job))


def test_the_step_its_epoch_and_the_last_finite_metrics_are_told(make_job):
    error = diverged(plan_of(make_job(training={"epochs": 9})), HISTORY, 4, step=18, num_updates=17)

    assert str(error) == "the training loss became infinite or NaN at step 18, in epoch 5"
    assert error.details["last_finite"] == HISTORY[0]["values"]
    assert error.details["best_epoch"] is None, "without early stopping no weights were kept"


def test_the_epoch_that_was_kept_is_offered_with_how_to_have_it(make_job):
    error = diverged(
        plan_of(make_job(training={"epochs": 9}, regularizers=[STOPPING])), HISTORY, 2, step=18, num_updates=17
    )

    assert {name: error.details[name] for name in ("best_epoch", "best_metric", "best_value")} == {
        "best_epoch": 2,
        "best_metric": "validation/accuracy",
        "best_value": 0.75,
    }
    assert error.remedy.endswith(
        "Epoch 2 was the best before (validation/accuracy 0.75): training.epochs 2 ends with it."
    )


@pytest.mark.parametrize("scheduled", ["optimizer", "penalty"])
def test_where_a_schedule_follows_the_runs_length_that_is_said(make_job, scheduled):
    cosine = {"kind": "cosine"}
    penalty = {"kind": "l2", "strength": 0.1, "schedule": cosine if scheduled == "penalty" else {"kind": "constant"}}
    optimizer = {"schedule": cosine} if scheduled == "optimizer" else {}

    error = diverged(
        plan_of(make_job(optimizer=optimizer, regularizers=[STOPPING, penalty])), HISTORY, 2, step=18, num_updates=17
    )

    assert error.remedy.endswith("ends with it, though its schedule then ends there too.")


def test_before_any_epoch_was_kept_none_is_offered(make_job):
    error = diverged(plan_of(make_job(regularizers=[STOPPING])), [], 0, step=1, num_updates=0)

    assert error.details["best_epoch"] is None
    assert "best" not in error.remedy
