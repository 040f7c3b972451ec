"""Max-norm: the weights into each unit stay within a ball.

Source: Srebro & Shraibman 2005, Rank, trace-norm and max-norm; for networks Srivastava et al. 2014, Dropout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.at import At
from regcore.groups import axes_within, project_groups_
from regcore.regularizers.base import SelectingRegularizer, Stronger
from regcore.regularizers.effect import Effect, Setting

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.optim import Update

MAX_VALUE = 1e12


class MaxNorm(SelectingRegularizer):
    """‖w_i‖ ≤ c for the weights into each unit i."""

    summary: ClassVar[str] = "After each step scales the weights into a unit down to norm c, if their norm is above it."
    formula: ClassVar[str] = "w_i ← w_i · min(1, c/‖w_i‖), for each unit i: a row of a matrix, a filter, a gate"
    source: ClassVar[str] = "Srebro & Shraibman 2005; Srivastava et al. 2014, §5.1"
    example: ClassVar[dict[str, Any]] = {"kind": "max_norm", "max_value": 1.0}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"max_value"})
    twice: ClassVar[str | None] = "Of two balls with one centre the smaller one alone counts."
    stronger: ClassVar[Stronger] = {"max_value": "smaller"}

    kind: Literal["max_norm"] = "max_norm"
    max_value: float = Field(gt=0, le=MAX_VALUE)
    """c, the largest norm of the weights into a unit; their bias is not part of it."""

    @classmethod
    def bind(cls, members: Sequence[MaxNorm], setting: Setting) -> Effect:
        return _MaxNormEffect(members, setting)


class _MaxNormEffect(Effect):
    """The norm is over all axes but the unit's, as Keras's `MaxNorm` has it with the axes of the inputs."""

    members: Sequence[MaxNorm]
    ranks: ClassVar[Mapping[str, int]] = {"after_step": 20}

    def setup(self) -> None:
        self._within = {name: axes_within(self.setting.tensors[name], "o") for name in self.touched}

    def after_step(self, tensors: Mapping[str, Tensor], update: Update, at: At) -> None:
        for name, within in self._within.items():
            project_groups_(tensors[name], self.each("max_value"), within)
