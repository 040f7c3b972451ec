"""ℓ₀ penalty: the expected number of weights that are not zero, made differentiable by gates that are drawn at random.

Each weight, or each group of weights, is multiplied by a gate z, whose place on [0, 1] is learned beside the weights:
stretched beyond both ends and clipped, it is exactly 0 or 1 with a probability that has a closed form. The finished
model has the weights times their gates without noise, and no gates.

Departures from the paper: the gates begin alike, because noise and weights tell them apart; λ counts weights, not
λ/rows.

Source: Louizos, Welling & Kingma 2018, Learning sparse neural networks through L₀ regularization.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from regcore.doubts import Doubt, RunShape
from regcore.groups import axes_of
from regcore.members import add_scaled_, coefficient
from regcore.optim.base import MAX_STRENGTH, Scheduled
from regcore.regularizers.base import Stronger, WeightRegularizer
from regcore.regularizers.effect import Effect, Setting
from regcore.shapes import Shape, TensorInfo

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.at import At
    from regcore.passes import Slope
    from regcore.regularizers.effect import Slopes

_TEMPERATURE: Final = 2 / 3
"""β, with which the paper relaxes the gates."""
_LOW: Final = -0.1
_HIGH: Final = 1.1
"""γ and ζ, the ends of the stretched interval, as in the paper."""
_SHIFT: Final = _TEMPERATURE * math.log(-_HIGH / _LOW)
"""P(z ≠ 0) = sigmoid(log α + this)."""
_CLOSED: Final = _HIGH / (_HIGH - _LOW)
"""The dropout rate from which a gate without noise is 0."""
_COPIES_OF_GATES: Final = 6
"""log α, its gradient, two moments, the drawn numbers and z."""
_ALONG: Final = {"output": "o", "input": "i"}
"""The axis along which groups of a kind lie."""


class L0(WeightRegularizer):
    """λ · the expected number of non-zero weights."""

    summary: ClassVar[str] = "Adds λ for each weight that its random gate is likely to keep; exact zeros, no shrinking."
    formula: ClassVar[str] = (
        "λ·Σ P(z ≠ 0),  P(z ≠ 0) = σ(log α − β·log(−γ/ζ));  w ← w·z,  z = min(1, max(0, s·(ζ − γ) + γ)),  "
        "s = σ((log u − log(1 − u) + log α)/β),  u ~ U(0, 1);  finished: s = σ(log α);  β = 2/3, γ = −0.1, ζ = 1.1"
    )
    source: ClassVar[str] = "Louizos, Welling & Kingma 2018"
    example: ClassVar[dict[str, Any]] = {"kind": "l0", "strength": 1e-4}
    adds_to_objective: ClassVar[bool] = True
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"strength", "dropout_rate", "schedule"})
    scheduled: ClassVar[tuple[str, ...]] = ("strength",)
    twice: ClassVar[str | None] = "A weight with two gates is multiplied by both, and pays for both."
    stronger: ClassVar[Stronger] = {"strength": "larger", "dropout_rate": None}

    kind: Literal["l0"] = "l0"
    strength: float = Field(ge=0, le=MAX_STRENGTH)
    """λ₀, for each weight."""
    groups: Literal["weight", "output", "input"] = "weight"
    """What has one gate: each weight, all weights of a unit, or all weights that read the same input or channel."""
    dropout_rate: float = Field(default=0.2, gt=0, lt=1)
    """δ: the gates begin at log α = log((1 − δ)/δ)."""

    def touched(self, tensors: Sequence[TensorInfo]) -> list[str]:
        names = super().touched(tensors)
        known = {tensor.name: axes_of(tensor) for tensor in tensors}
        without = [name for name in names if self.groups != "weight" and _ALONG[self.groups] not in known[name]]
        if without:
            raise ValueError(
                f"groups={self.groups!r} needs tensors with such an axis; received {', '.join(without)}, which have "
                "none. Exclude them by select"
            )
        return names

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        yield from super().doubts(run)
        if self.dropout_rate >= _CLOSED:
            yield Doubt(
                "/dropout_rate",
                "gates_begin_closed",
                f"at dropout_rate {self.dropout_rate:g} gates without noise begin at 0: until training opens some, no "
                "weight is left in what is evaluated and finished.",
                f"Take one below {_CLOSED:.3g}.",
            )

    @property
    def shrinks_weights(self) -> bool:
        """Gates are closed, and the weights behind them are as they were."""
        return False

    def num_extra(self, tensors: Sequence[TensorInfo]) -> int:
        """The gates, the gated weights and their gradient."""
        names = self.touched([tensor for tensor in tensors if tensor.is_learned])
        touched = [tensor for tensor in tensors if tensor.name in names]
        num_gates = sum(math.prod(self.gates_of(tensor)) for tensor in touched)
        return _COPIES_OF_GATES * num_gates + 2 * sum(tensor.num_elements for tensor in touched)

    def gates_of(self, tensor: TensorInfo) -> Shape:
        """The shape of a tensor's gates, which broadcasts over it."""
        if self.groups == "weight":
            return tensor.shape
        pairs = zip(tensor.shape, axes_of(tensor), strict=True)
        return tuple(size if axis == _ALONG[self.groups] else 1 for size, axis in pairs)

    @classmethod
    def bind(cls, members: Sequence[L0], setting: Setting) -> Effect:
        return _L0Effect(members, setting)


class _L0Effect(Effect):
    members: Sequence[L0]
    ranks: ClassVar[Mapping[str, int]] = {"weights": 20, "gradients": 90}

    def setup(self) -> None:
        self._strengths = Scheduled([m.strength for m in self.members], [m.schedule for m in self.members])
        self._gates = {name: f"{self.setting.name}.log_alpha.{name}" for name in self.touched}
        infos = {name: self.setting.tensors[name] for name in self.touched}
        self._shapes = {name: self.members[0].gates_of(info) for name, info in infos.items()}
        self._sizes = {name: info.num_elements // math.prod(self._shapes[name]) for name, info in infos.items()}

    def adds(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        import torch

        firsts = [math.log((1 - member.dropout_rate) / member.dropout_rate) for member in self.members]
        added = {}
        for name, gate in self._gates.items():
            shape = (len(self.members), *self._shapes[name])
            added[gate] = torch.zeros(shape, dtype=self.setting.dtype, device=self.setting.device)
            added[gate] += coefficient(firsts, added[gate])
        return added

    def weights(self, tensors: Mapping[str, Tensor], at: At) -> Mapping[str, Tensor]:
        gated = {name: tensors[name] * self._opened(name, tensors[gate], at) for name, gate in self._gates.items()}
        return {**tensors, **gated}

    def gradients(self, slope: Slopes, weights: Mapping[str, Tensor], at: At) -> Slope:
        import torch

        found, strengths = slope(weights, at), self._strengths.at(at)
        for name, gate in self._gates.items():
            kept = _chances(weights[gate].detach())
            slopes = torch.addcmul(kept, kept, kept, value=-1)
            add_scaled_(found.gradients[gate], slopes, [strength * self._sizes[name] for strength in strengths])
        return found

    def penalty(self, tensors: Mapping[str, Tensor], at: At) -> Tensor:
        import torch

        counts = [
            self._sizes[name] * _chances(tensors[gate].detach().double()).flatten(1).sum(1)
            for name, gate in self._gates.items()
        ]
        expected = torch.stack(counts).sum(0)
        return expected * expected.new_tensor(self._strengths.at(at))

    def _opened(self, name: str, log_alpha: Tensor, at: At) -> Tensor:
        """z for each gate: drawn while training, else without noise."""
        import torch

        if at.training:
            # One draw for all rows of a pass, as in the paper. A u that rounds to 0 or 1 gives an infinity, and that z.
            drawn = at.integers(math.prod(self._shapes[name]), log_alpha, self.setting.name, name)
            noise = drawn.to(log_alpha.dtype).add_(2**31 + 0.5).div_(2**32).logit_().view_as(log_alpha)
            log_alpha = torch.add(noise.div_(_TEMPERATURE), log_alpha, alpha=1 / _TEMPERATURE)
        opened: Tensor = log_alpha.sigmoid().mul(_HIGH - _LOW).add_(_LOW).clamp(0, 1)
        return opened


def _chances(log_alpha: Tensor) -> Tensor:
    """P(z ≠ 0) of each gate."""
    return (log_alpha + _SHIFT).sigmoid()
