import torch

from regcore.loop.constant_units import ConstantUnits


def test_constant_units_are_those_that_answer_every_row_of_all_chunks_alike():
    rows = torch.rand(2, 5000, 4)
    rows[0, :, 1] = 0.5
    rows[1, :, :3] = 0
    rows[1, 4999, 2] = 1  # seen in the last chunk alone
    units = ConstantUnits()

    for chunk in rows.split(512, dim=1):
        units.look("linear1", chunk)
        units.look("linear2", torch.ones_like(chunk))

    assert units.count(0) == {"linear1": 1, "linear2": 4}
    assert units.count(1) == {"linear1": 2, "linear2": 4}


def test_a_channel_is_one_unit():
    images = torch.zeros(1, 10, 3, 2, 2)
    images[0, 7, 1, 0, 1] = 1
    images[0, :, 2] = torch.arange(4).view(2, 2)  # alike for every row, but not at every place: it carries something
    units = ConstantUnits()

    units.look("conv2d1", images)

    assert units.count(0) == {"conv2d1": 1}


def test_a_feature_of_a_sequence_is_one_unit_and_only_steps_in_use_count():
    steps = torch.ones(2, 3, 4, 5)
    lengths = torch.tensor([[4, 1, 2]])
    steps[0, 1, 1:, 0] = 7  # behind the end of a row
    steps[0, 2, 1, 1] = 7
    units = ConstantUnits()

    units.look("lstm1", steps, lengths)
    units.look("linear1", steps)

    assert units.count(0) == {"lstm1": 4, "linear1": 3}
    assert units.count(1) == {"lstm1": 5, "linear1": 5}
