import math

import pytest
import torch

from regcore.layers import Position
from regcore.loop.network import first_tensors
from regcore.shapes import RowInfo

STEPS = RowInfo((50, 5))


def test_sinusoidal_places_are_those_of_the_paper():
    places = Position(method="sinusoidal").module(STEPS)(torch.zeros(1, *STEPS.shape, dtype=torch.float64))[0]

    for t in (0, 1, 7, 49):
        for i in range(5):
            wave = math.cos if i % 2 else math.sin
            assert float(places[t, i]) == pytest.approx(wave(t / 10_000 ** (2 * (i // 2) / 5)))


def test_learned_places_begin_near_zero_and_are_embeddings():
    (info,) = Position().tensors(RowInfo((50, 400)))

    first = first_tensors([Position()], RowInfo((50, 400)), 0)["position1.weight"]

    assert (info.role, info.axes) == ("embedding", "oi")
    assert first.any(1).all()
    assert float(first.std()) == pytest.approx(0.02, rel=0.02)


def test_a_sinusoidal_place_is_no_tensor():
    assert Position(method="sinusoidal").tensors(STEPS) == []
    assert not Position(method="sinusoidal").module(STEPS).state_dict()
