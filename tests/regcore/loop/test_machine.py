import pytest
import torch

from regcore import train
from regcore.loop import machine
from regcore.loop.machine import choose_device, is_small, rows_device
from regcore.plan import make_plan


@pytest.mark.parametrize(("small", "threads"), [(10**8, 1), (0, 3)])
def test_a_small_pass_has_one_thread_and_a_large_one_all(make_job, monkeypatch, small, threads):
    monkeypatch.setattr(machine, "SMALL_STEP_WORK", small)
    seen = set()

    def look():
        seen.add(torch.get_num_threads())
        return False

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        train(make_job(), should_stop=look)
        after = torch.get_num_threads()
    finally:
        torch.set_num_threads(before)

    assert seen == {threads}
    assert after == 3


@pytest.mark.parametrize(
    ("layers", "num_members", "small"),
    [
        ([{"kind": "linear", "features": 128}], 1, True),
        ([{"kind": "linear", "features": 128}], 32, False),
        ([{"kind": "conv2d", "channels": 4, "padding": 1}, {"kind": "pool"}], 1, True),
        ([{"kind": "conv2d", "channels": 64, "padding": 1}, {"kind": "pool"}], 1, False),
        ([{"kind": "lstm", "hidden": 32}, {"kind": "global_pool", "method": "last"}], 1, True),
        ([{"kind": "lstm", "hidden": 256}, {"kind": "global_pool", "method": "last"}], 1, False),
    ],
)
def test_a_step_is_small_by_its_work_and_not_by_its_number_of_weights(layers, num_members, small):
    """As `benchmarks/threads.py` measured. A convolution of 64 filters has 640 weights, and uses each 784 times."""
    model = {"kind": "layers", "layers": [*layers, {"kind": "linear"}]}

    plan = make_plan({"data": {"kind": "builtin", "name": "mnist-5k"}, "model": model})

    assert is_small(plan, num_members) == small


def test_a_device_is_taken_by_name_and_auto_takes_what_there_is():
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(("train_limit", "device"), [(100, "cuda"), (None, "cpu")])
def test_few_rows_lie_on_the_device_and_many_in_the_hosts_memory(make_job, monkeypatch, train_limit, device):
    monkeypatch.setattr("regcore.plan.plan.MAX_ROWS_ON_DEVICE_BYTES", 300_000)

    plan = make_plan(make_job(data={"train_limit": train_limit}, resources={"device": "cuda"}))

    assert rows_device(plan).type == device
