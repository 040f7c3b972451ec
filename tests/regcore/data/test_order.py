import pytest
import torch

from regcore.data.file_rows import open_rows
from regcore.data.order import Order
from regcore.data.prepared import Split
from regcore.data.write_rows import write_rows
from regcore.streams import generator

NUM_ROWS = 10_000
SIZE = 30
SEEDS = (3, 8)


@pytest.fixture(params=["memory", "file"])
def rows(request, tmp_path):
    split = Split(torch.arange(NUM_ROWS).float().unsqueeze(1), torch.zeros(NUM_ROWS, dtype=torch.int64))
    if request.param == "memory":
        return split
    write_rows(tmp_path, {"train": [split]}, block_bytes=300)
    return open_rows(tmp_path)["train"]


def epoch_of(order, epoch, seeds=SEEDS):
    return [order.rows(seeds, epoch, position) for position in range(-(-NUM_ROWS // SIZE))]


def test_each_member_sees_each_row_once_an_epoch_in_an_order_of_its_own_and_of_the_epoch(rows):
    epochs = [torch.cat(epoch_of(Order(rows, SIZE), epoch), dim=1) for epoch in (0, 1)]

    whole = torch.cat(epochs)

    assert torch.equal(whole.sort(dim=1).values, torch.arange(NUM_ROWS).expand(4, -1))
    same = (whole.unsqueeze(0) == whole.unsqueeze(1)).double().mean(2)
    assert (same[~torch.eye(4, dtype=torch.bool)] < 0.01).all()


def test_a_step_has_its_rows_whatever_was_asked_before_and_with_whom(rows):
    expected = epoch_of(Order(rows, SIZE), 5)

    fresh = Order(rows, SIZE)

    for position in (200, 333, 7):
        assert torch.equal(fresh.rows(SEEDS, 5, position), expected[position])
        assert torch.equal(fresh.rows(SEEDS[1:], 5, position), expected[position][1:])
    assert expected[333].shape == (2, 10)


@pytest.mark.parametrize("rows", ["memory"], indirect=True)
def test_rows_in_memory_come_as_torch_shuffles_them(rows):
    expected = torch.randperm(NUM_ROWS, generator=generator(8, "order", 2))

    assert torch.equal(torch.cat(epoch_of(Order(rows, SIZE), 2), dim=1)[1], expected)
