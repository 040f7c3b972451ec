"""Group lasso: whole groups of weights become zero, such as all that a unit sees, or all that see an input.

A unit whose group is zero still gives φ(bias), the same for every row, and the layer behind it multiplies that
constant: neither the unit's bias nor those weights are touched here, and both may be folded into the next bias.

Source: Yuan & Lin 2006, Model selection and estimation in regression with grouped variables; Scardapane et al. 2017,
Group sparse regularization for deep neural networks; filters: Wen et al. 2016, Learning structured sparsity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from regcore.at import At
from regcore.groups import axes_of, axes_within, group_norms, shrink_groups_, sums_of_group_norms
from regcore.optim.base import MAX_STRENGTH, Scheduled
from regcore.regularizers.base import Stronger, WeightRegularizer
from regcore.regularizers.effect import Effect, Setting
from regcore.shapes import TensorInfo

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.optim import Update

_ALONG: Final = {"output": "o", "input": "i", "filter": "o"}
"""The axis along which groups lie."""
_WHAT: Final = {
    "output": "all weights into one unit",
    "input": "all weights out of one input",
    "filter": "all weights of one filter",
}


class GroupLasso(WeightRegularizer):
    """λ Σ √d ‖w_g‖."""

    summary: ClassVar[str] = "Adds λ times the norms of groups of weights to the objective; whole groups become zero."
    formula: ClassVar[str] = "λ Σ_g √d_g ‖w_g‖,  d_g the number of weights in group g"
    source: ClassVar[str] = "Yuan & Lin 2006; Scardapane et al. 2017; under Adam: ProxGen (Yun et al. 2021)"
    example: ClassVar[dict[str, Any]] = {"kind": "group_lasso", "strength": 1e-3}
    adds_to_objective: ClassVar[bool] = True
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"strength", "schedule"})
    scheduled: ClassVar[tuple[str, ...]] = ("strength",)
    thresholds: ClassVar[tuple[str, ...]] = ("strength",)
    stronger: ClassVar[Stronger] = {"strength": "larger"}

    kind: Literal["group_lasso"] = "group_lasso"
    strength: float = Field(ge=0, le=MAX_STRENGTH)
    """λ. By √d one strength means the same for groups of every size."""
    groups: Literal["output", "input", "filter"] = "output"
    """What becomes zero as a whole: `output`: all weights into a unit, in a convolution a filter; `input`: all weights
    out of an input, in a convolution a channel; `filter`: as `output`, of convolutions alone."""

    def touched(self, tensors: Sequence[TensorInfo]) -> list[str]:
        names = super().touched(tensors)
        known = {tensor.name: axes_of(tensor) for tensor in tensors}
        if self.select is None and self.groups == "filter":
            names = [name for name in names if "k" in known[name]]
            if not names:
                raise ValueError(
                    'groups="filter" acts on convolutions, and the model has none. Use groups="output", which does the '
                    "same to the weights into each unit"
                )
        without = [name for name in names if _ALONG[self.groups] not in known[name]]
        if without:
            raise ValueError(
                f"groups={self.groups!r} needs tensors with such an axis; received {', '.join(without)}, which have "
                "none. Exclude them by select"
            )
        return names

    def explain(self, touched: Sequence[str]) -> str:
        return f"{self.summary} A group: {_WHAT[self.groups]}. On: {', '.join(touched)}."

    def remark(self, touched: Sequence[TensorInfo], tensors: Mapping[str, Tensor]) -> str:
        zero = {}
        for info in touched:
            norms = group_norms(tensors[info.name].unsqueeze(0), axes_within(info, _ALONG[self.groups]))
            zero[info.name] = int((norms == 0).sum()), norms.numel()
        counts = ", ".join(f"{count} of {size} in {name}" for name, (count, size) in zero.items())
        remark = f"Groups that are zero: {counts}."
        if self.groups == "input" or not any(count for count, _ in zero.values()):
            return remark
        return f"{remark} Such a unit still gives φ(bias), which is the same for every row."

    @classmethod
    def bind(cls, members: Sequence[GroupLasso], setting: Setting) -> Effect:
        return _GroupLassoEffect(members, setting)


class _GroupLassoEffect(Effect):
    members: Sequence[GroupLasso]
    ranks: ClassVar[Mapping[str, int]] = {"after_step": 10}

    def setup(self) -> None:
        along = _ALONG[self.members[0].groups]
        self._within = {name: axes_within(self.setting.tensors[name], along) for name in self.touched}
        self._strengths = Scheduled([m.strength for m in self.members], [m.schedule for m in self.members])

    def after_step(self, tensors: Mapping[str, Tensor], update: Update, at: At) -> None:
        strengths = self._strengths.at(at)
        if any(strengths):
            for name, within in self._within.items():
                shrink_groups_(tensors[name], strengths, update.reach_at_own_rate(name, at), within)

    def penalty(self, tensors: Mapping[str, Tensor], at: At) -> Tensor:
        norms = sums_of_group_norms([tensors[name] for name in self.touched], list(self._within.values()))
        return norms * norms.new_tensor(self._strengths.at(at))
