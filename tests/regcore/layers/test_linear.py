import math

import pytest
import torch
from torch import nn

from regcore.layers import Linear
from regcore.loop.network import first_tensors
from regcore.shapes import RowInfo


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_a_stack_computes_what_separate_linear_modules_compute(bias, shared):
    layer = Linear(features=3, bias=bias)
    modules = [nn.Linear(5, 3, bias=bias, dtype=torch.float64) for _ in range(4)]
    names = [tensor.name for tensor in layer.tensors(RowInfo((5,)))]
    parameters = {name: torch.stack([module.get_parameter(name) for module in modules]) for name in names}
    x = torch.randn(1 if shared else 4, 7, 5, dtype=torch.float64)

    y = layer.forward(x, parameters, None)

    expected = torch.stack([module(rows) for module, rows in zip(modules, x.expand(4, 7, 5), strict=True)])
    torch.testing.assert_close(y, expected)


@pytest.mark.parametrize("bias", [True, False])
def test_its_parameters_are_those_of_its_module(bias):
    layer = Linear(features=3, bias=bias)

    state = layer.module(RowInfo((4,))).state_dict()

    shapes = {tensor.name: tensor.shape for tensor in layer.tensors(RowInfo((4,)))}
    assert {name: tuple(value.shape) for name, value in state.items()} == shapes


@pytest.mark.parametrize("parameter", ["weight", "bias"])
def test_first_values_are_uniform_within_one_over_the_root_of_the_inputs(parameter):
    values = first_tensors([Linear(features=4000)], RowInfo((25,)), 0)[f"head.{parameter}"]

    bound = 1 / math.sqrt(25)
    assert values.abs().max() <= bound
    # A uniform distribution's standard deviation is bound/√3; four standard errors for 4,000 draws.
    assert values.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.04)
    assert abs(values.mean().item()) < 4 * bound / math.sqrt(3 * values.numel())


def test_outputs_may_be_omitted_until_they_are_needed():
    with pytest.raises(ValueError, match="only if it is the model's last layer"):
        Linear().output(RowInfo((4,)))


def test_it_may_act_on_each_step_of_a_sequence():
    layer = Linear(features=3, per_step=True)
    x = torch.randn(2, 4, 6, 5, dtype=torch.float64)
    weight, bias = torch.randn(2, 3, 5, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)

    y = layer.forward(x, {"weight": weight, "bias": bias}, None)

    assert layer.output(RowInfo((6, 5), varies=True)) == RowInfo((6, 3), varies=True)
    torch.testing.assert_close(y, torch.einsum("kbti,koi->kbto", x, weight) + bias[:, None, None])
