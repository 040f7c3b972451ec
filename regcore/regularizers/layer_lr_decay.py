"""Layer-wise learning rates: the farther a layer is from the output, the more slowly it moves.

Source: Howard & Ruder 2018, Universal language model fine-tuning (ULMFiT), §3.2; Clark et al. 2020, ELECTRA, §3.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.at import At
from regcore.layers.depths import depths
from regcore.optim.elementwise import Elementwise
from regcore.regularizers.base import Select, SelectingRegularizer, Stronger
from regcore.regularizers.effect import Effect, Setting
from regcore.shapes import TensorInfo

if TYPE_CHECKING:
    from regcore.optim import Update


class LayerLrDecay(SelectingRegularizer):
    """η_l = η · decay^d, d the layers between layer l and the output layer.

    What else happens to a weight at its learning rate, as a decay or a soft threshold, is smaller by the same factor:
    it is what parameter groups with these rates do in torch.
    """

    summary: ClassVar[str] = "Multiplies the learning rate by decay for every layer from the output back to the input."
    formula: ClassVar[str] = "η_l = η · decay^d,  d = 0 for the output layer, 1 for the layer before it, …"
    source: ClassVar[str] = "Howard & Ruder 2018, §3.2 (decay 1/2.6); Clark et al. 2020"
    example: ClassVar[dict[str, Any]] = {"kind": "layer_lr_decay", "decay": 0.7}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"decay"})
    twice: ClassVar[str | None] = "Their factors multiply."
    stronger: ClassVar[Stronger] = {"decay": "smaller"}

    kind: Literal["layer_lr_decay"] = "layer_lr_decay"
    decay: float = Field(default=0.75, gt=0, le=1)
    """The factor from one layer to the layer before it; 1 changes nothing."""
    select: Select | None = None
    """Which tensors have such a rate; null for all of them, of whatever role. The others move at the whole rate."""

    def touched(self, tensors: Sequence[TensorInfo]) -> list[str]:
        return [tensor.name for tensor in tensors] if self.select is None else super().touched(tensors)

    def explain(self, touched: Sequence[str]) -> str:
        return f"{self.summary} From the output to the input: ×1, ×{self.decay:g}, ×{self.decay**2:g}, …"

    @classmethod
    def bind(cls, members: Sequence[LayerLrDecay], setting: Setting) -> Effect:
        return _LayerLrDecayEffect(members, setting)


class _LayerLrDecayEffect(Effect):
    members: Sequence[LayerLrDecay]

    def setup(self) -> None:
        found = depths(list(self.setting.tensors.values()))
        decays = self.each("decay")
        by_depth = {depth: Elementwise(rate=tuple(d**depth for d in decays)) for depth in set(found.values())}
        self._rates = {name: by_depth[found[name]] for name in self.touched if found[name] > 0}

    @property
    def is_settled(self) -> bool:
        return True

    def elementwise(self, update: Update, at: At) -> Mapping[str, Elementwise]:
        return self._rates
