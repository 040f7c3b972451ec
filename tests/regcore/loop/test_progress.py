import pytest
from hand_clock import HandClock

from regcore import make_plan, train
from regcore.loop import progress
from regcore.loop.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    found = HandClock()
    monkeypatch.setattr(progress, "time", found)
    return found


@pytest.fixture
def plan(make_job):
    """Three epochs of four steps."""
    return make_plan(make_job(training={"epochs": 3}))


def test_progress_begins_with_the_first_step_and_ends_with_the_last(make_job):
    records = []

    train(make_job(training={"epochs": 3}), on_record=records.append)

    bodies = [record.body for record in records if record.kind == "progress"]
    assert bodies[0]["step"] == 1
    assert bodies[-1] == {"epoch": 3, "num_epochs": 3, "step": 12, "num_steps": 12, "fraction": 1.0, "eta_s": 0.0}
    assert [body["step"] for body in bodies] == sorted(body["step"] for body in bodies)


def test_between_the_first_and_the_last_step_it_is_told_twice_a_second(clock, plan):
    progress = Progress(plan)
    progress.told()

    clock.now += 0.4
    assert [step for step in range(13) if progress.is_due(step)] == [0, 1, 12]
    clock.now += 0.2
    assert progress.is_due(5)


def test_the_time_that_is_left_is_reckoned_from_all_that_was_trained_before_too(clock, plan):
    progress = Progress(plan)
    progress.go_on(50.0)

    clock.now += 10.0

    body = progress.record(9).body
    assert (body["epoch"], body["fraction"], body["eta_s"]) == (2, 0.75, 20.0)
    assert progress.record(0).body["eta_s"] is None
