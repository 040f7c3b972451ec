import shutil

import pytest
import torch
from hand_clock import HandClock

from regcore.checkpoint import checkpoints, load_newest
from regcore.loop import checkpointer as checkpointer_module
from regcore.loop.checkpointer import Checkpointer

STATE = {"weights": torch.arange(1000.0)}


@pytest.fixture
def clock(monkeypatch):
    clock = HandClock()
    monkeypatch.setattr(checkpointer_module, "time", clock)
    return clock


@pytest.fixture
def cost(monkeypatch, clock):
    """Sets how many seconds of the clock a checkpoint takes, whether it can be written or not."""
    save_checkpoint = checkpointer_module.save_checkpoint

    def take(seconds):
        def save(*args, **options):
            clock.now += seconds
            return save_checkpoint(*args, **options)

        monkeypatch.setattr(checkpointer_module, "save_checkpoint", save)

    return take


@pytest.fixture
def records():
    return []


@pytest.fixture
def make(tmp_path, clock, records):
    def make(**options):
        options = {"every_s": 10.0, "expected_bytes": 0, "max_bytes": None} | options
        return Checkpointer(tmp_path / "root", {"is_exact": True}, on_record=records.append, **options)

    return make


def due_at(clock, checkpointer, seconds):
    """The moments, in whole seconds from now, at which a run that saves whatever is due finds one due."""
    begun = clock.now
    moments = []
    while clock.now < begun + seconds:
        if checkpointer.due():
            moments.append(clock.now - begun)
            checkpointer.save(len(moments), 0, STATE)
        clock.now += 1
    return moments


def test_one_is_due_at_every_interval(make, clock):
    checkpointer = make(every_s=10.0)

    assert due_at(clock, checkpointer, 35) == [10, 20, 30]


def test_an_interval_begins_when_the_last_one_is_written(make, clock, cost):
    cost(2)

    checkpointer = make(every_s=1000.0)

    assert due_at(clock, checkpointer, 3100) == [1000, 2002, 3004]


def test_a_slow_one_makes_the_next_wait_until_all_take_3_percent(make, clock, cost):
    cost(3)

    checkpointer = make(every_s=10.0)

    assert due_at(clock, checkpointer, 500) == [10, 200, 300, 400]


@pytest.mark.parametrize(("every_s", "seconds"), [(0.1, 3), (10.0, 7), (90.0, 3)])
def test_a_long_run_spends_3_percent_on_them_at_most(make, clock, cost, every_s, seconds):
    cost(seconds)

    moments = due_at(clock, make(every_s=every_s), 3000)

    assert 0.025 < len(moments) * seconds / 3000 <= 0.03


def test_a_large_first_one_waits_until_what_it_will_take_is_3_percent(make, clock):
    seconds_on_a_plain_disk = 6
    checkpointer = make(every_s=1.0, expected_bytes=seconds_on_a_plain_disk * 200_000_000)

    assert due_at(clock, checkpointer, 202) == [200, 201]


def test_a_failed_one_is_tried_again_after_the_interval(make, clock, tmp_path):
    (tmp_path / "root").write_text("no directory")

    checkpointer = make(every_s=10.0)

    assert due_at(clock, checkpointer, 35) == [10, 20, 30]


def test_what_is_saved_is_the_state_and_whose_it_is(make, tmp_path):
    make().save(340, 3, STATE)

    loaded = load_newest(tmp_path / "root")
    assert loaded.step == 340
    assert loaded.state["identity"] == {"is_exact": True}
    assert torch.equal(loaded.state["trainer"]["weights"], STATE["weights"])


def test_a_checkpoint_is_told(make, records, tmp_path):
    make().save(340, 3, STATE)

    (record,) = records
    assert record.kind == "checkpoint"
    assert record.body == {
        "step": 340,
        "epoch": 3,
        "name": "step-000000000340",
        "size_bytes": sum(path.stat().st_size for path in (tmp_path / "root" / "step-000000000340").iterdir()),
    }


def test_one_that_cannot_be_written_is_told_with_its_step_and_the_reason(make, records, tmp_path):
    (tmp_path / "root").write_text("no directory")

    make().save(340, 3, STATE)

    (record,) = records
    assert record.kind == "warning"
    assert (record.body["code"], record.body["step"]) == ("checkpoint_failed", 340)
    assert "step 340 could not be written: File exists." in record.body["message"]


def test_a_failure_is_told_once_until_one_succeeds(make, records, tmp_path):
    root = tmp_path / "root"
    checkpointer = make()

    for step, is_writable in enumerate([False, False, True, True, False, False]):
        root.unlink() if root.is_file() else shutil.rmtree(root, ignore_errors=True)
        if not is_writable:
            root.write_text("no directory")
        checkpointer.save(step, 0, STATE)

    told = [(record.kind, record.body["step"]) for record in records]
    assert told == [("warning", 0), ("checkpoint", 2), ("checkpoint", 3), ("warning", 4)]


def test_one_that_is_too_large_is_told_and_not_written(make, records, tmp_path):
    make(max_bytes=11_999).save(340, 3, STATE)

    (record,) = records
    assert (record.kind, record.body["code"]) == ("warning", "checkpoint_failed")
    assert "needs 12,000 bytes on disk, and 11,999 are allowed" in record.body["message"]
    assert not (tmp_path / "root").exists()


def test_three_at_once_may_take_what_is_allowed(make, records):
    make(max_bytes=12_000).save(340, 3, STATE)

    assert [record.kind for record in records] == ["checkpoint"]


@pytest.mark.parametrize("is_exact", [True, False])
def test_a_run_is_as_exact_as_its_identity_says(tmp_path, is_exact):
    identity = {"is_exact": is_exact}

    checkpointer = Checkpointer(
        tmp_path, identity, every_s=1.0, expected_bytes=0, max_bytes=None, on_record=lambda record: None
    )

    assert checkpointer.is_exact is is_exact


def test_those_that_nobody_has_taken_note_of_are_kept(tmp_path, records):
    accepted = [0]
    checkpointer = Checkpointer(
        tmp_path,
        {"is_exact": True},
        every_s=1.0,
        expected_bytes=0,
        max_bytes=None,
        on_record=records.append,
        accepted_step=lambda: accepted[0],
    )

    for step in (10, 20, 30, 40):
        checkpointer.save(step, 0, {})
    before = sorted(step for step, _ in checkpoints(tmp_path))
    accepted[0] = 30
    checkpointer.save(50, 0, {})

    assert before == [10, 20, 30, 40]
    assert sorted(step for step, _ in checkpoints(tmp_path)) == [30, 40, 50]
