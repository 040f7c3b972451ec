import itertools

import pytest
import torch

from regcore import make_plan, parse_spec
from regcore.data.prepare_known import prepare
from regcore.loop import fitting, machine
from regcore.loop.fitting import SIZES, fitting_size, room_bytes

GB = 2**30


@pytest.fixture
def make_fitting_plan(make_job):
    def make(**changes):
        return make_plan(parse_spec(make_job(**changes)))

    return make


@pytest.fixture
def timed(monkeypatch):
    """Says how long a step of each size takes in place of a clock; gives the sizes that were asked for."""
    asked = []
    monkeypatch.setattr(fitting, "_step_times_s", {})

    def let(times):
        def step_s(plans, data):
            asked.append((len(plans), torch.get_num_threads()))
            return times[len(plans)]

        monkeypatch.setattr(fitting, "_step_s", step_s)
        return asked

    return let


def sizes(asked):
    return [size for size, _ in asked]


@pytest.mark.parametrize(
    ("times", "size", "asked"),
    [
        ({1: 1.0, 4: 5.0}, 1, [1, 4]),  # company costs
        ({1: 1.0, 4: 3.9}, 1, [1, 4]),  # a gain of 2.5 % is not worth it
        ({1: 1.0, 4: 2.0, 16: 9.0}, 4, [1, 4, 16]),
        ({1: 1.0, 4: 2.0, 16: 4.0, 64: 20.0}, 16, [1, 4, 16, 64]),
    ],
)
def test_the_size_with_the_least_time_for_a_member_is_taken(make_fitting_plan, timed, times, size, asked):
    calls = timed(times)

    assert fitting_size(make_fitting_plan(), 1000) == size
    assert sizes(calls) == asked


def test_the_largest_size_stands_for_all_beyond(make_fitting_plan, timed):
    timed(dict.fromkeys(SIZES, 1.0))

    assert fitting_size(make_fitting_plan(), 1000) == 1000


def test_no_more_than_there_are(make_fitting_plan, timed):
    timed(dict.fromkeys(SIZES, 1.0))

    assert fitting_size(make_fitting_plan(), 7) == 7


def test_it_is_measured_once_for_all_that_share_a_key(make_fitting_plan, timed):
    calls = timed({1: 1.0, 4: 2.0, 16: 9.0})

    found = [fitting_size(make_fitting_plan(training={"seed": seed}), 10) for seed in range(3)]

    assert found == [4, 4, 4]
    assert sizes(calls) == [1, 4, 16]


def test_another_shape_is_measured_anew(make_fitting_plan, timed):
    calls = timed({1: 1.0, 4: 5.0})

    for hidden in ([8], [9]):
        fitting_size(make_fitting_plan(model={"hidden": hidden}), 10)

    assert sizes(calls) == [1, 4, 1, 4]


@pytest.mark.parametrize(("changes", "num_members"), [({}, 1), ({"fusion": "off"}, 10)])
def test_what_trains_alone_is_not_measured(make_fitting_plan, timed, changes, num_members):
    calls = timed({})

    assert fitting_size(make_fitting_plan(**changes), num_members) == 1
    assert calls == []


def test_memory_bounds_what_is_tried_and_what_is_taken(make_fitting_plan, timed, monkeypatch):
    plan = make_fitting_plan()
    calls = timed(dict.fromkeys(SIZES, 1.0))
    monkeypatch.setattr(fitting, "_free_bytes", lambda device: 20.5 * plan.member_bytes / fitting.MEMORY_SHARE)

    assert fitting_size(plan, 1000) == 16
    assert sizes(calls) == [1, 4, 16]


def test_what_memory_ruled_out_is_tried_once_there_is_more(make_fitting_plan, timed, monkeypatch):
    plan = make_fitting_plan()
    calls = timed(dict.fromkeys(SIZES, 1.0))
    found = []
    for num_members in (20.5, 5.5, 100.5):
        free_bytes = num_members * plan.member_bytes / fitting.MEMORY_SHARE
        monkeypatch.setattr(fitting, "_free_bytes", lambda device, free_bytes=free_bytes: free_bytes)
        found.append(fitting_size(plan, 1000))

    assert found == [16, 4, 64]
    assert sizes(calls) == [1, 4, 16, 64]


@pytest.mark.parametrize(
    "exhausted", [MemoryError(), torch.OutOfMemoryError("CUDA"), RuntimeError("DefaultCPUAllocator: can't allocate")]
)
def test_where_memory_runs_out_while_timing_the_best_so_far_is_taken(make_fitting_plan, timed, monkeypatch, exhausted):
    calls = timed(dict.fromkeys(SIZES, 1.0))
    step_s = fitting._step_s

    def fail(plans, data):
        if len(plans) == 64:
            raise exhausted
        return step_s(plans, data)

    monkeypatch.setattr(fitting, "_step_s", fail)
    first = fitting_size(make_fitting_plan(), 1000)
    monkeypatch.setattr(fitting, "_step_s", step_s)
    second = fitting_size(make_fitting_plan(), 1000)

    assert (first, second) == (16, 1000)
    assert sizes(calls) == [1, 4, 16, 64, 256], "nothing is timed twice"


def test_another_error_while_timing_is_no_matter_of_memory(make_fitting_plan, timed, monkeypatch):
    timed({})

    def fail(plans, data):
        raise RuntimeError("a fault")

    monkeypatch.setattr(fitting, "_step_s", fail)

    with pytest.raises(RuntimeError, match="a fault"):
        fitting_size(make_fitting_plan(), 1000)


def test_memory_for_one_alone_is_no_question(make_fitting_plan, timed, monkeypatch):
    calls = timed({})
    monkeypatch.setattr(fitting, "_free_bytes", lambda device: 0)

    assert fitting_size(make_fitting_plan(), 1000) == 1
    assert calls == []


def test_each_size_is_timed_with_the_threads_that_it_would_train_with(make_fitting_plan, timed, monkeypatch):
    plan = make_fitting_plan()
    calls = timed(dict.fromkeys(SIZES, 1.0))
    # Sixteen members are a large step, four a small one.
    monkeypatch.setattr(machine, "SMALL_STEP_WORK", 10 * plan.step_work)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        fitting_size(plan, 1000)
        after = torch.get_num_threads()
    finally:
        torch.set_num_threads(before)

    assert calls == [(1, 1), (4, 1), (16, 3), (64, 3), (256, 3)]
    assert after == 3


@pytest.mark.parametrize("batch_size", [10, "full"])
def test_a_step_is_timed_many_times_for_the_first_is_cold(make_fitting_plan, monkeypatch, batch_size):
    """Also where an epoch has one step alone. The clock goes on by less and less."""
    plan = make_fitting_plan(training={"batch_size": batch_size})
    ticks = itertools.accumulate(itertools.chain([0.0, 5.0], itertools.repeat(1e-3)))
    monkeypatch.setattr(fitting.time, "perf_counter", lambda: next(ticks))

    measured_s = fitting._step_s([plan, plan], prepare(plan.resolved_spec))

    assert measured_s == pytest.approx(1e-3)


def test_steps_are_timed_uncompiled_for_every_size_would_be_a_compilation(make_fitting_plan, monkeypatch):
    plan = make_fitting_plan(training={"compile": True})
    monkeypatch.setattr(torch, "compile", lambda function: pytest.fail("compiled"))

    assert fitting._step_s([plan, plan], prepare(plan.resolved_spec)) > 0


@pytest.mark.parametrize(
    ("limit", "used", "free"), [("max\n", "0", 8 * GB), (f"{3 * GB}\n", f"{GB}", 2 * GB), (f"{GB}", f"{2 * GB}", 0)]
)
def test_room_is_a_share_of_what_the_host_and_the_container_have_left(
    make_fitting_plan, monkeypatch, tmp_path, limit, used, free
):
    (tmp_path / "max").write_text(limit)
    (tmp_path / "current").write_text(used)
    monkeypatch.setattr(fitting, "_CGROUP_LIMIT", tmp_path / "max")
    monkeypatch.setattr(fitting, "_CGROUP_USED", tmp_path / "current")
    monkeypatch.setattr(fitting.psutil, "virtual_memory", lambda: type("Memory", (), {"available": 8 * GB}))

    assert room_bytes(make_fitting_plan()) == int(fitting.MEMORY_SHARE * free)


def test_without_a_container_the_host_alone_counts(make_fitting_plan, monkeypatch, tmp_path):
    monkeypatch.setattr(fitting, "_CGROUP_LIMIT", tmp_path / "none")
    monkeypatch.setattr(fitting.psutil, "virtual_memory", lambda: type("Memory", (), {"available": 8 * GB}))

    assert room_bytes(make_fitting_plan()) == int(fitting.MEMORY_SHARE * 8 * GB)


def test_of_a_gpu_what_torch_holds_in_reserve_is_free_too(make_fitting_plan, monkeypatch):
    """Else a process would find less room with each pass that it has trained."""
    plan = make_fitting_plan()
    monkeypatch.setattr(fitting, "choose_device", lambda wanted: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 * GB, 16 * GB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 5 * GB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: GB)

    assert room_bytes(plan) == int(fitting.MEMORY_SHARE * 7 * GB)
