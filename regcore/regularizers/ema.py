"""Exponential moving average of the weights: what is evaluated, selected and finished is smoother than what is trained.

Source: Polyak & Juditsky 1992, Acceleration of stochastic approximation by averaging; Tarvainen & Valpola 2017, Mean
teachers are better role models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from regcore.doubts import Doubt, RunShape
from regcore.members import coefficient
from regcore.regularizers.base import Regularizer, Stronger
from regcore.regularizers.effect import Effect, Setting
from regcore.shapes import TensorInfo

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.at import At
    from regcore.optim import Update
    from regcore.trees import Tree

_LARGE_SHARE: Final = 0.1
"""The share of the first weights in the last average above which a warning comes."""


class Ema(Regularizer):
    """Averages the weights of all steps, the last ones most."""

    summary: ClassVar[str] = "Evaluates, selects and keeps an exponential moving average of the weights, not the last."
    formula: ClassVar[str] = "w̄ ← d·w̄ + (1 − d)·w after each step, from w̄ = w₀ on;  w̄ is the finished model"
    source: ClassVar[str] = "Polyak & Juditsky 1992; Tarvainen & Valpola 2017"
    example: ClassVar[dict[str, Any]] = {"kind": "ema", "decay": 0.9}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"decay"})
    only_once: ClassVar[bool] = True
    stronger: ClassVar[Stronger] = {"decay": "larger"}

    kind: Literal["ema"] = "ema"
    decay: float = Field(default=0.99, ge=0, lt=1)
    """d: the average is over about 1/(1 − d) steps. Buffers, as those of batch norm, are averaged likewise."""

    def num_extra(self, tensors: Sequence[TensorInfo]) -> int:
        """The average."""
        return sum(tensor.num_elements for tensor in tensors)

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        share = self.decay**run.num_steps
        if share > _LARGE_SHARE:
            yield Doubt(
                "/decay",
                "average_too_long",
                f"after all {run.num_steps} steps {100 * share:.3g} % of the average are the first weights, before "
                "any training.",
                "Lower decay, or train longer.",
            )
        if any(one.kind == "spectral_norm" for one in run.regularizers):
            yield Doubt(
                "",
                "average_with_spectral_norm",
                "it averages the weights before spectral_norm divides them, so that steps with large ones count more; "
                "the average is then divided by its own σ₁.",
                "Use one of the two.",
            )

    @classmethod
    def bind(cls, members: Sequence[Ema], setting: Setting) -> Effect:
        return _EmaEffect(members, setting)


class _EmaEffect(Effect):
    """Remembers the average of every tensor of numbers; counters, as of batches, are as they are."""

    members: Sequence[Ema]
    ranks: ClassVar[Mapping[str, int]] = {"weights": 0, "after_step": 100}

    def setup(self) -> None:
        self._shares = tuple(1 - decay for decay in self.each("decay"))

    def start(self, tensors: Mapping[str, Tensor]) -> Tree:
        return {name: tensor.detach().clone() for name, tensor in tensors.items() if tensor.is_floating_point()}

    def after_step(self, tensors: Mapping[str, Tensor], update: Update, at: At) -> None:
        for name, average in self._averages.items():
            average.lerp_(tensors[name], coefficient(self._shares, average))

    def weights(self, tensors: Mapping[str, Tensor], at: At) -> Mapping[str, Tensor]:
        return tensors if at.training else {**tensors, **self._averages}

    @property
    def _averages(self) -> dict[str, Tensor]:
        of: Any = self.state
        averages: dict[str, Tensor] = of
        return averages
