"""Adam and AdamW.

Source: Kingma & Ba 2015, Adam; Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field

from regcore.at import At
from regcore.doubts import Doubt, RunShape
from regcore.members import add_scaled_product_, add_scaled_quotient_, coefficient, quotient_parts
from regcore.optim.base import MAX_EPS, MAX_LEARNING_RATE, MAX_STRENGTH, MIN_EPS, Optimizer, Update
from regcore.optim.elementwise import Elementwise, Numbers

if TYPE_CHECKING:
    from torch import Tensor


_LARGE_GROWTH: Final = 1.3
"""beta1/√beta2 above which a warning comes: 0.9/√0.5 = 1.27 still trains the built-in sets, 0.999/√0.5 does not."""


class Adam(Optimizer):
    """Adaptive moments."""

    summary: ClassVar[str] = "Adaptive moment estimation: each weight has its own step size."
    formula: ClassVar[str] = "w ← w − η·m̂/(√v̂ + ε)"
    source: ClassVar[str] = "Kingma & Ba 2015"
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"learning_rate", "schedule", "beta1", "beta2", "eps"})

    shortens_steps: ClassVar[tuple[str, ...]] = ("eps",)

    kind: Literal["adam"] = "adam"
    learning_rate: float = Field(default=0.01, gt=0, le=MAX_LEARNING_RATE)
    """Base learning rate η; the schedule multiplies it."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Decay of the mean of gradients."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """Decay of the mean of squared gradients."""
    eps: float = Field(default=1e-8, ge=MIN_EPS, le=MAX_EPS)
    """Added to the denominator."""

    def gain(self, num_steps: float, gradient: float = 1.0) -> float:
        return gradient / (gradient + self.eps)

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        yield from super().doubts(run)
        # Without a gradient the mean shrinks by beta1 in each step, and the root of the mean square by √beta2.
        growth = self.beta1 / math.sqrt(self.beta2) if self.beta2 else math.inf
        if self.beta1 > 0 and growth > _LARGE_GROWTH:
            yield Doubt(
                "/beta2",
                "steps_grow",
                f"beta1 / √beta2 = {growth:.3g}: where a gradient vanishes, each step is that many times longer than "
                "the one before.",
                "Raise beta2, e.g. to 0.999, or lower beta1.",
            )

    @classmethod
    def bind(cls, members: Sequence[Adam]) -> Update:
        return _AdamUpdate(members)


class AdamW(Adam):
    """Adam with decoupled decay of every parameter, as `torch.optim.AdamW`."""

    summary: ClassVar[str] = "Adam with decoupled weight decay on every parameter; 0 by default."
    formula: ClassVar[str] = "w ← (1 − ηλ)w − η·m̂/(√v̂ + ε)"
    source: ClassVar[str] = "Loshchilov & Hutter 2019"
    member_fields: ClassVar[frozenset[str] | None] = frozenset(
        {"learning_rate", "schedule", "beta1", "beta2", "eps", "weight_decay"}
    )
    decays: ClassVar[tuple[str, ...]] = ("weight_decay",)

    kind: Literal["adamw"] = "adamw"  # type: ignore[assignment]  # a subtype of Adam, distinguished by this word
    weight_decay: float = Field(default=0.0, ge=0, le=MAX_STRENGTH)
    """λ, on every parameter, biases too. The regularizer `weight_decay` does the same for selected weights."""

    @classmethod
    def bind(cls, members: Sequence[Adam]) -> Update:
        return _AdamWUpdate(members)


class _AdamUpdate(Update):
    kernels: ClassVar[tuple[str, ...]] = ("second_moment", "adam")
    num_kernel_numbers: ClassVar[int] = 8
    differs_by_step: ClassVar[bool] = True
    members: Sequence[Adam]

    @property
    def slots(self) -> tuple[str, ...]:
        return ("mean", "square")

    def descend(self, name: str, weight: Tensor, gradient: Tensor, rates: Numbers, at: At) -> None:
        mean, square = self.tensors_of("mean")[name], self.tensors_of("square")[name]
        mean.lerp_(gradient, coefficient([1 - member.beta1 for member in self.members], gradient))
        square.mul_(coefficient([member.beta2 for member in self.members], gradient))
        add_scaled_product_(square, gradient, gradient, [1 - member.beta2 for member in self.members])
        add_scaled_quotient_(weight, mean, self._denominator(name, at), self._descents(rates, at))

    def _descents(self, rates: Numbers, at: At) -> list[float]:
        """−η/(1−β₁ᵗ)."""
        corrections = [1 - member.beta1 ** (at.step + 1) for member in self.members]
        return [-(rate / correction) for rate, correction in zip(rates, corrections, strict=True)]

    def _corrections(self, at: At) -> list[float]:
        """√(1−β₂ᵗ)."""
        return [(1 - member.beta2 ** (at.step + 1)) ** 0.5 for member in self.members]

    def _denominator(self, name: str, at: At) -> Tensor:
        root: Tensor = self.tensors_of("square")[name].sqrt()
        root.div_(coefficient(self._corrections(at), root))
        return root.add_(coefficient([member.eps for member in self.members], root))

    def reach(self, name: str, at: At) -> Tensor:
        denominator = self._denominator(name, at)
        reach: Tensor = coefficient(self.rates(at), denominator) / denominator
        return reach

    @property
    def kernel_slots(self) -> tuple[str, ...]:
        return "square", "mean"

    def kernel_numbers(self, rates: Numbers, at: At) -> Sequence[Sequence[float]]:
        members = self.members
        return (
            [member.beta2 for member in members],
            [1 - member.beta2 for member in members],
            [member.eps for member in members],
            *quotient_parts(self.rates(at)),
            [1 - member.beta1 for member in members],
            self._corrections(at),
            self._descents(rates, at),
        )


class _AdamWUpdate(_AdamUpdate):
    members: Sequence[AdamW]

    def elementwise(self, at: At) -> Elementwise:
        keep = tuple(1 - rate * m.weight_decay for rate, m in zip(self.rates(at), self.members, strict=True))
        return Elementwise(keep=keep)
