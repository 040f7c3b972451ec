import pytest
import torch

from regcore import train
from regcore.loop import machine
from regcore.loop.machine import choose_device, rows_device
from regcore.plan import make_plan


@pytest.mark.parametrize(("small", "threads"), [(10**8, 1), (0, 3)])
def test_a_small_pass_has_one_thread_and_a_large_one_all(make_job, monkeypatch, small, threads):
    monkeypatch.setattr(machine, "SMALL_STEP_PRODUCTS", small)
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


def test_a_device_is_taken_by_name_and_auto_takes_what_there_is():
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(("train_limit", "device"), [(100, "cuda"), (None, "cpu")])
def test_few_rows_lie_on_the_device_and_many_in_the_hosts_memory(make_job, monkeypatch, train_limit, device):
    monkeypatch.setattr("regcore.plan.plan.MAX_ROWS_ON_DEVICE_BYTES", 300_000)

    plan = make_plan(make_job(data={"train_limit": train_limit}, resources={"device": "cuda"}))

    assert rows_device(plan).type == device
