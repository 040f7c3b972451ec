import itertools

import pytest

from regcore import train
from regcore.errors import DivergedError, TrainingStopped
from regcore.loop.control import Control
from regcore.loop.first import FOLDER
from regcore.loop.group import Newcomer, train_group
from regcore.plan import make_plan
from regcore.predict import load_predictor

TEACHER = {"model": {"kind": "mlp", "hidden": [6]}, "training": {"epochs": 4, "batch_size": 32, "seed": 9}}
NUM_STEPS = 16
"""Of the teacher's training: four epochs of 100 rows."""


def taught(make_job, **changes):
    described = {"kind": "knowledge_distillation", "teacher": TEACHER | changes}
    return make_job(regularizers=[described])


def stopping_at(call):
    calls = itertools.count()
    return lambda: next(calls) == call


def logs(records):
    return [record.body["message"] for record in records if record.kind == "log"]


def test_it_is_the_model_of_such_a_job_and_is_kept_beside_the_checkpoints(make_job, tmp_path):
    job = taught(make_job)

    train(job, resume_from=tmp_path)

    (folder,) = (tmp_path / FOLDER).iterdir()
    alone = train(make_job(**TEACHER, optimizer={"kind": "sgd"}))
    kept = load_predictor(folder).model.state_dict()
    assert all((kept[name] == tensor).all() for name, tensor in alone.model.state_dict().items())


@pytest.mark.parametrize("call", [5, NUM_STEPS + 3])
def test_what_is_stopped_before_or_after_goes_on_with_the_same_bits(make_job, tmp_path, call):
    job, records = taught(make_job), []
    with pytest.raises(TrainingStopped):
        train(job, resume_from=tmp_path, should_stop=stopping_at(call))

    resumed = train(job, resume_from=tmp_path, on_record=records.append)

    assert resumed.weights_sha256 == train(job).weights_sha256
    was_kept = not any("is trained first" in message for message in logs(records))
    assert was_kept == (call > NUM_STEPS)


def test_another_teacher_is_not_taken_for_it(make_job, tmp_path):
    train(taught(make_job), resume_from=tmp_path / "one")
    (tmp_path / "one" / FOLDER).rename(tmp_path / FOLDER)
    other = taught(make_job, training=TEACHER["training"] | {"seed": 10})

    result = train(other, resume_from=tmp_path)

    assert result.weights_sha256 == train(other).weights_sha256
    assert len(list((tmp_path / FOLDER).iterdir())) == 2


def test_a_teacher_in_another_precision_trains_on_rows_of_its_own(make_job):
    precise = TEACHER["training"] | {"precision": "float64"}

    assert train(taught(make_job, training=precise)).metrics["test/accuracy"] is not None


def test_one_that_diverges_is_the_jobs_fault_and_is_told_as_that(make_job):
    growing = [{"kind": "l2", "strength": 1e6}]
    job = taught(make_job, regularizers=growing, optimizer={"kind": "sgd", "learning_rate": 1e3})

    with pytest.raises(DivergedError, match=r"teacher, which is trained first, ends without a") as caught:
        train(job)
    assert caught.value.remedy.startswith("In knowledge_distillation.teacher: ")
    assert caught.value.details["step"] >= 1


class AllLeave(Control):
    """Everybody is asked to leave, and the whole pass is not asked to stop."""

    def leaving(self):
        return {"0": None, "1": None}


def test_if_all_members_are_to_leave_it_is_not_trained_to_its_end(make_job):
    newcomers = [Newcomer(str(k), make_plan(taught(make_job))) for k in range(2)]

    with pytest.raises(TrainingStopped):
        dict(train_group(newcomers, control=AllLeave()))
