import pytest
import torch
from effects import bind_effect

from regcore.at import At
from regcore.passes import Slope
from regcore.regularizers.grad_clip import GradClip

AT = At(0, 10, 10, (1, 2, 3))
LIMITS = (0.5, 3.0, 1e3)


def clipped(gradients, limits):
    """What the effect makes of a step's gradients, of one member for each limit."""
    effect = bind_effect([GradClip(max_norm=limit) for limit in limits], gradients)
    return effect.gradients(lambda weights, at: Slope(dict(gradients), {}, {}), gradients, AT).gradients


def random_gradients(dtype):
    stream = torch.Generator().manual_seed(3)
    return {
        "linear1.weight": torch.randn(3, 5, 4, generator=stream, dtype=dtype),
        "linear1.bias": 10 * torch.randn(3, 5, generator=stream, dtype=dtype),
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_each_member_is_clipped_as_torch_clips_a_network(dtype):
    assert GradClip.formula == "g ← g · min(1, max_norm / (‖g‖ + 10⁻⁶))"
    gradients = random_gradients(dtype)
    references = []
    for k, limit in enumerate(LIMITS):
        parameters = {name: torch.nn.Parameter(torch.zeros_like(g[k])) for name, g in gradients.items()}
        for name, parameter in parameters.items():
            parameter.grad = gradients[name][k].clone()
        torch.nn.utils.clip_grad_norm_(parameters.values(), limit)
        references.append({name: parameter.grad for name, parameter in parameters.items()})

    ours = clipped(gradients, LIMITS)

    for k, reference in enumerate(references):
        torch.testing.assert_close({name: g[k] for name, g in ours.items()}, reference)


def test_a_gradient_below_the_limit_keeps_every_bit():
    gradients = random_gradients(torch.float32)
    before = {name: gradient.clone() for name, gradient in gradients.items()}

    ours = clipped(gradients, (1e3, 1e3, 1e3))

    assert all(torch.equal(ours[name], before[name]) for name in before)


def test_no_gradient_stays_none():
    gradients = {"head.weight": torch.zeros(2, 3, 4), "head.bias": torch.zeros(2, 3)}

    ours = clipped(gradients, (1.0, 1e-12))

    assert all(torch.equal(gradient, torch.zeros_like(gradient)) for gradient in ours.values())
