from itertools import pairwise

import pytest
import torch
from torch import nn

from regcore.scoring import RowScorer


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("widths", [(1, 1), (7, 5, 1), (13, 3), (30, 9, 2), (33, 17, 10), (100, 64, 1)], ids=str)
@pytest.mark.parametrize("num_threads", [1, 2])
def test_a_row_alone_is_scored_as_in_a_crowd(widths, dtype, num_threads):
    layers = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.Sigmoid())]
    scorer = RowScorer(nn.Sequential(*layers).to(dtype).eval())
    rows = torch.randn(150, widths[0], dtype=dtype)
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)

    with torch.inference_mode():
        crowd = scorer(rows)
        alone = torch.cat([scorer(rows[k : k + 1]) for k in range(len(rows))])
        shifted = scorer(rows[3:])

    torch.set_num_threads(before)
    assert torch.equal(alone, crowd)
    assert torch.equal(shifted, crowd[3:])


def test_it_computes_what_the_network_computes():
    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(12, 5, bias=False), nn.Tanh(), nn.Linear(5, 3))
    rows = torch.randn(70, 3, 2, 2)

    with torch.inference_mode():
        torch.testing.assert_close(RowScorer(module.eval())(rows), module(rows))


def test_no_rows_have_no_scores():
    assert RowScorer(nn.Sequential(nn.Linear(3, 2)))(torch.zeros(0, 3)).shape == (0, 2)
