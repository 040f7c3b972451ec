"""RMSprop.

Source: Tieleman & Hinton 2012, Lecture 6.5, Neural Networks for Machine Learning.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from regcore.at import At
from regcore.members import add_scaled_, add_scaled_product_, add_scaled_quotient_, coefficient, quotient_parts
from regcore.optim.base import MAX_EPS, MIN_EPS, Optimizer, Update
from regcore.optim.elementwise import Numbers

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
    def bind(cls, members: Sequence[RMSprop]) -> Update:
        return _RMSpropUpdate(members)


class _RMSpropUpdate(Update):
    kernels: ClassVar[tuple[str, ...]] = ("second_moment", "rmsprop")
    num_kernel_numbers: ClassVar[int] = 7
    members: Sequence[RMSprop]

    def __init__(self, members: Sequence[RMSprop]) -> None:
        super().__init__(members)
        self._momenta = tuple(member.momentum for member in members)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("square", "velocity") if any(self._momenta) else ("square",)

    def descend(self, name: str, weight: Tensor, gradient: Tensor, rates: Numbers, at: At) -> None:
        square, descent = self.tensors_of("square")[name], [-rate for rate in rates]
        square.mul_(coefficient([member.alpha for member in self.members], gradient))
        add_scaled_product_(square, gradient, gradient, [1 - member.alpha for member in self.members])
        if any(self._momenta):
            velocity = self.tensors_of("velocity")[name]
            velocity.mul_(coefficient(self._momenta, gradient)).addcdiv_(gradient, self._denominator(name))
            add_scaled_(weight, velocity, descent)
        else:  # one rounding less, as in torch.optim
            add_scaled_quotient_(weight, gradient, self._denominator(name), descent)

    def _denominator(self, name: str) -> Tensor:
        root = self.tensors_of("square")[name].sqrt()
        return root.add_(coefficient([member.eps for member in self.members], root))

    def reach(self, name: str, at: At) -> Tensor:
        denominator = self._denominator(name)
        per_coordinate: Tensor = coefficient(self._long_run_rates(at), denominator) / denominator
        return per_coordinate

    def _long_run_rates(self, at: At) -> Numbers:
        return tuple(rate / (1 - momentum) for rate, momentum in zip(self.rates(at), self._momenta, strict=True))

    def kernel_numbers(self, rates: Numbers, at: At) -> Sequence[Sequence[float]]:
        members = self.members
        return (
            [member.alpha for member in members],
            [1 - member.alpha for member in members],
            [member.eps for member in members],
            *quotient_parts(self._long_run_rates(at)),
            self._momenta,
            [-rate for rate in rates],
        )
