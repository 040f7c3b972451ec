import torch
from effects import bind_effect

from regcore.optim import Elementwise
from regcore.regularizers import Effect
from regcore.regularizers.l2 import L2

WEIGHTS = {"linear1.weight": torch.ones(2, 3, 4), "head.weight": torch.ones(2, 1, 3)}


def effect_of(*strengths):
    return bind_effect([L2(strength=strength) for strength in strengths], WEIGHTS)


def test_an_effect_that_overrides_nothing_changes_nothing():
    effect = Effect([], effect_of(1.0, 2.0).setting)
    batch = object()

    assert effect.on_batch(batch, None) is batch
    assert effect.weights(WEIGHTS, None) is WEIGHTS
    assert effect.loss(lambda one, at: one, batch, None) is batch
    assert effect.elementwise(None, None) == {}
    assert effect.penalty(WEIGHTS, None) is None
    assert effect.start(WEIGHTS) == {}


def test_a_field_of_every_member_multiplies_a_stack():
    effect = effect_of(1.0, 2.0)

    assert effect.each("strength") == (1.0, 2.0)
    assert (effect.column("strength", WEIGHTS["head.weight"]) * WEIGHTS["head.weight"])[:, 0, 0].tolist() == [1, 2]
    assert effect_of(3.0, 3.0).column("strength", WEIGHTS["head.weight"]) == 3.0


def test_what_is_done_to_each_touched_tensor_is_the_same_object_until_it_changes():
    effect = effect_of(1.0, 2.0)
    first = effect.on_touched(Elementwise(pull=(1.0, 2.0)))

    assert list(first) == list(WEIGHTS)
    assert effect.on_touched(Elementwise(pull=(1.0, 2.0))) is first
    assert effect.on_touched(Elementwise(pull=(1.0, 3.0))) is not first
