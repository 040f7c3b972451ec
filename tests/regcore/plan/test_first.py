import pytest

from regcore import make_plan
from regcore.errors import SpecError
from regcore.plan import Ceilings

L2_UNDER_ADAM = {"optimizer": {"kind": "adam"}, "regularizers": [{"kind": "l2", "strength": 1e-3}]}


def taught_by(make_job, **teacher):
    described = {"kind": "knowledge_distillation", "teacher": {"model": {"kind": "mlp", "hidden": [3]}} | teacher}
    return make_job(regularizers=[{"kind": "l1", "strength": 1e-3}, described])


def test_what_is_trained_first_has_a_plan_of_its_own_on_the_same_data(make_job):
    job = taught_by(make_job, training={"epochs": 3, "seed": 5})

    plan = make_plan(job)

    (name, first), *_ = plan.trained_first.items()
    assert name == "knowledge_distillation.teacher"
    assert (first.num_epochs, first.resolved_spec.training.seed) == (3, 5)
    assert [info.shape for info in first.parameters][:1] == [(3, 64)]
    assert first.resolved_spec.data == plan.resolved_spec.data
    assert "trained_first" not in plan.public()


def test_the_spec_is_resolved_with_it_and_planned_again_it_is_the_same(make_job):
    plan = make_plan(taught_by(make_job) | {"data": {"kind": "builtin", "name": "digits", "train_limit": 40}})

    again = make_plan(plan.resolved_spec.model_dump(mode="json"))

    teacher = again.resolved_spec.regularizers[1].teacher
    assert (teacher.training.batch_size, teacher.optimizer.kind) == (40, "sgd")
    assert again.resolved_spec == plan.resolved_spec
    assert again.trained_first.keys() == plan.trained_first.keys()


def test_what_is_wrong_with_it_is_told_in_its_place_and_what_is_wrong_with_the_data_once(make_job):
    job = taught_by(make_job, training={"batch_size": 10**6}) | {"task": {"loss": "mse"}}

    with pytest.raises(SpecError) as caught:
        make_plan(job)

    assert sorted(error.pointer for error in caught.value.errors) == [
        "/regularizers/1/teacher/training/batch_size",
        "/task/loss",
    ]


def test_data_may_be_written_out_and_are_the_jobs_own(make_job):
    own = make_job()["data"]

    assert make_plan(taught_by(make_job, data=own)).resolved_spec.regularizers[1].teacher.data is None
    with pytest.raises(SpecError) as caught:
        make_plan(taught_by(make_job, data=own | {"split_seed": 1}))

    assert [error.pointer for error in caught.value.errors] == ["/regularizers/1/teacher/data"]


def test_ceilings_hold_for_it(make_job):
    with pytest.raises(SpecError) as caught:
        make_plan(taught_by(make_job, training={"epochs": 99}), Ceilings(epochs=10))

    assert [error.pointer for error in caught.value.errors] == ["/regularizers/1/teacher/training/epochs"]


def test_what_is_doubtful_in_it_is_told_with_a_patch_of_the_whole_spec(make_job):
    (warning,) = [one for one in make_plan(taught_by(make_job, **L2_UNDER_ADAM)).warnings if "l2" in one.code]

    assert warning.pointer.startswith("/regularizers/1/teacher/regularizers/0")
    assert all(step["path"].startswith("/regularizers/1/teacher/") for step in warning.patch)
