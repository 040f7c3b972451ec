"""RMSprop.

Source: Tieleman & Hinton 2012, Lecture 6.5, Neural Networks for Machine Learning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from regcore.members import add_scaled_, add_scaled_product_, add_scaled_quotient_, coefficient
from regcore.optim.base import MAX_EPS, MIN_EPS, Optimizer, Update
from regcore.schedule import Moment

if TYPE_CHECKING:
    from torch import Tensor


class RMSprop(Optimizer):
    """Steps divided by a running root mean square of the gradient."""

    summary: ClassVar[str] = "Gradient descent with each step divided by a running root mean square of its gradient."
    formula: ClassVar[str] = "s ← αs + (1−α)g²;  v ← μv + g/(√s + ε);  w ← w − ηv"
    source: ClassVar[str] = "Tieleman & Hinton 2012"
    member_fields: ClassVar[frozenset[str] | None] = frozenset(
        {"learning_rate", "schedule", "alpha", "eps", "momentum"}
    )

    lengthens_steps: ClassVar[tuple[str, ...]] = ("alpha", "momentum")
    shortens_steps: ClassVar[tuple[str, ...]] = ("eps",)

    kind: Literal["rmsprop"] = "rmsprop"
    alpha: float = Field(default=0.99, ge=0, lt=1)
    """Decay of the mean of squared gradients."""
    eps: float = Field(default=1e-8, ge=MIN_EPS, le=MAX_EPS)
    """Added to the denominator."""
    momentum: float = Field(default=0.0, ge=0, lt=1)
    """μ, applied to the divided gradient."""

    def gain(self, num_steps: float, gradient: float = 1.0) -> float:
        divided = gradient / (gradient * math.sqrt(1 - math.pow(self.alpha, num_steps)) + self.eps)
        return divided * (1 - math.pow(self.momentum, num_steps)) / (1 - self.momentum)

    @classmethod
    def bind(cls, members: Sequence[RMSprop], weights: Mapping[str, Tensor]) -> Update:
        return _RMSpropUpdate(members, weights)


class _RMSpropUpdate(Update):
    members: Sequence[RMSprop]

    def step(self, gradients: Mapping[str, Tensor], moment: Moment) -> None:
        momenta = [member.momentum for member in self.members]
        descent = [-rate for rate in self.rates(moment)]
        for name, weight in self.weights.items():
            gradient, state = gradients[name], self.state[name]
            if not state:
                state.update(square=gradient.new_zeros(gradient.shape), velocity=gradient.new_zeros(gradient.shape))
            state["square"].mul_(coefficient([member.alpha for member in self.members], gradient))
            add_scaled_product_(state["square"], gradient, gradient, [1 - member.alpha for member in self.members])
            if any(momenta):
                state["velocity"].mul_(coefficient(momenta, gradient)).addcdiv_(gradient, self._denominator(name))
                add_scaled_(weight, state["velocity"], descent)
            else:  # one rounding less, as in torch.optim
                add_scaled_quotient_(weight, gradient, self._denominator(name), descent)

    def _denominator(self, name: str) -> Tensor:
        root = self.state[name]["square"].sqrt()
        return root.add_(coefficient([member.eps for member in self.members], root))

    def reach(self, name: str, moment: Moment) -> Tensor:
        denominator = self._denominator(name)
        reach = [rate / (1 - m.momentum) for rate, m in zip(self.rates(moment), self.members, strict=True)]
        per_coordinate: Tensor = coefficient(reach, denominator) / denominator
        return per_coordinate
