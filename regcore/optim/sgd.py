"""Stochastic gradient descent with heavy-ball or Nesterov momentum.

Source: Polyak 1964; Sutskever et al. 2013, On the importance of initialization and momentum in deep learning.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from regcore.at import At
from regcore.members import add_scaled_, coefficient
from regcore.optim.base import Optimizer, Update
from regcore.optim.elementwise import Numbers, times

if TYPE_CHECKING:
    from torch import Tensor


class SGD(Optimizer):
    """Plain or accelerated gradient descent."""

    summary: ClassVar[str] = "Stochastic gradient descent, with heavy-ball or Nesterov momentum."
    formula: ClassVar[str] = "v ← μv + g;  w ← w − ηv   (Nesterov: w ← w − η(g + μv))"
    source: ClassVar[str] = "Polyak 1964; Sutskever et al. 2013"
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"learning_rate", "schedule", "momentum"})

    lengthens_steps: ClassVar[tuple[str, ...]] = ("momentum",)

    kind: Literal["sgd"] = "sgd"
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """μ; 0 is plain gradient descent."""
    nesterov: bool = False
    """Look ahead along the velocity; needs momentum."""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0; received momentum=0. Set momentum, e.g. 0.9")
        return self

    @property
    def stability(self) -> float:
        # At this ηλ a root of the recurrence's characteristic polynomial leaves the unit circle, through −1.
        return 2 * (1 + self.momentum) / (1 + 2 * self.momentum if self.nesterov else 1)

    def gain(self, num_steps: float, gradient: float = 1.0) -> float:
        # Nesterov's step uses the velocity after one more step with the same gradient.
        return gradient * (1 - math.pow(self.momentum, num_steps + self.nesterov)) / (1 - self.momentum)

    @classmethod
    def bind(cls, members: Sequence[SGD]) -> Update:
        return _SGDUpdate(members)


class _SGDUpdate(Update):
    kernels: ClassVar[tuple[str, ...]] = ("sgd",)
    num_kernel_numbers: ClassVar[int] = 3
    members: Sequence[SGD]

    def __init__(self, members: Sequence[SGD]) -> None:
        super().__init__(members)
        self._momenta = tuple(member.momentum for member in members)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("velocity",) if any(self._momenta) else ()

    def descend(self, name: str, weight: Tensor, gradient: Tensor, rates: Numbers, at: At) -> None:
        add_scaled_(weight, self._direction(name, gradient), [-rate for rate in rates])

    def _direction(self, name: str, gradient: Tensor) -> Tensor:
        if not any(self._momenta):
            return gradient
        velocity = self.tensors_of("velocity")[name]
        velocity.mul_(coefficient(self._momenta, gradient)).add_(gradient)
        if not self.members[0].nesterov:
            return velocity
        add_scaled_(gradient, velocity, self._momenta)  # look ahead
        return gradient

    def reach(self, name: str, at: At) -> list[float]:
        return [rate / (1 - momentum) for rate, momentum in zip(self.rates(at), self._momenta, strict=True)]

    def kernel_numbers(self, rates: Numbers, at: At) -> Sequence[Sequence[float]]:
        return self._momenta, [-rate for rate in rates], [float(member.nesterov) for member in self.members]

    def kernel_shrink(self, name: str, strengths: Numbers, at: At) -> Numbers:
        return times(strengths, self.reach(name, at))
