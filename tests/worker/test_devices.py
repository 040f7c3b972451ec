import os

import pytest

from worker.devices import Slot, available_cores, count_gpus, find_slots, threads_per_slot


@pytest.mark.parametrize(
    ("slots", "num_gpus", "devices"),
    [
        ("auto", 0, ["cpu"]),
        ("auto", 2, ["cuda:0", "cuda:1"]),
        (3, 0, ["cpu", "cpu", "cpu"]),
        (3, 2, ["cuda:0", "cuda:1", "cuda:0"]),
    ],
)
def test_slots_are_dealt_out_over_the_gpus(slots, num_gpus, devices):
    found = find_slots(slots, num_gpus=num_gpus)

    assert found == [Slot(index, device) for index, device in enumerate(devices)]


@pytest.mark.parametrize(("visible", "expected"), [(None, 2), ("0,1", 2), ("1", 1), ("", 0), ("-1", 0)])
def test_gpus_are_those_that_the_driver_and_the_environment_show(tmp_path, visible, expected):
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}

    assert count_gpus(environment, tmp_path) == expected


@pytest.mark.parametrize(("quota", "most"), [("max 100000", 10_000), ("100000 100000", 1), ("50000 100000", 1)])
def test_cores_are_cut_down_to_the_containers_quota(tmp_path, quota, most):
    cpu = tmp_path / "cpu.max"
    cpu.write_text(quota)

    assert available_cores(cpu) == min(most, len(os.sched_getaffinity(0)))


def test_the_slots_share_the_cores_and_each_has_one_at_least():
    assert threads_per_slot(1) == available_cores()
    assert threads_per_slot(10_000) == 1
