from itertools import pairwise

import pytest
import torch
from torch import nn

from regcore.modules import Chain, SelfAttention, in_use
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("features", "num_heads", "num_steps"), [(6, 2, 7), (6, 3, 1), (20, 1, 16), (36, 4, 33)])
@pytest.mark.parametrize("varies", [False, True])
def test_attention_scores_a_row_alone_as_in_a_crowd_and_as_torch_does(features, num_heads, num_steps, varies, dtype):
    module = Chain(SelfAttention(features, num_heads, bias=varies, batch_first=True)).to(dtype).eval()
    scorer = RowScorer(module)
    rows = torch.randn(100, num_steps, features, dtype=dtype)
    lengths = torch.randint(1, num_steps + 1, (100,)) if varies else None
    used = torch.ones(100, num_steps, 1) if lengths is None else in_use(lengths, num_steps).unsqueeze(2)

    with torch.inference_mode():
        crowd = scorer(rows, lengths)
        alone = [scorer(rows[k : k + 1], None if lengths is None else lengths[k : k + 1]) for k in range(100)]
        plain = module(rows, lengths)

    assert torch.equal(torch.cat(alone), crowd)
    torch.testing.assert_close(crowd * used, plain * used, rtol=1e-4, atol=1e-5)
