import torch

from regcore.passes import Pass


def test_a_term_is_added_to_a_pass_of_its_own():
    found = Pass(torch.zeros(1, 2, 3), torch.ones(1, 2))

    more = found.plus("r_drop", torch.full((1, 2), 0.5)).plus("activity", torch.zeros(1, 2))

    assert found.terms == {}
    assert list(more.terms) == ["r_drop", "activity"]
    assert more.losses is found.losses
