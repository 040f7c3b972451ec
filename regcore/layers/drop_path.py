"""Dropping a whole branch of a row; the regularizer `stochastic_depth` ends each residual block's branch with it.

Source: Huang et al. 2016, Deep networks with stochastic depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.layers.base import Layer
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

    from regcore.layers.forward import Here


class DropPath(Layer):
    """Zeroes whole rows with probability p while training, and scales the others so that the mean stays."""

    summary: ClassVar[str] = "Zeroes a whole row with probability p while training: at the end of a residual's branch."
    formula: ClassVar[str] = "y = x · m/(1 − p),  one m ~ Bernoulli(1 − p) for each row"
    source: ClassVar[str] = "Huang et al. 2016; torchvision.ops.stochastic_depth, mode row"
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [
            {"kind": "linear", "features": 32},
            {
                "kind": "residual",
                "layers": [
                    {"kind": "linear", "features": 32},
                    {"kind": "activation"},
                    {"kind": "drop_path", "p": 0.2},
                ],
            },
            {"kind": "linear"},
        ],
    }
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"p"})

    only_in_training: ClassVar[bool] = True
    draws_by_step: ClassVar[bool] = True

    kind: Literal["drop_path"] = "drop_path"
    p: float = Field(default=0.2, ge=0, lt=1)
    """Probability that a row's branch is dropped."""

    @property
    def is_random(self) -> bool:
        return self.p > 0

    def module(self, seen: RowInfo) -> nn.Module:
        from regcore.modules import DropPath as DropPathModule

        return DropPathModule(self.p)

    def forward(self, x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
        """Each member's rows are drawn from its own stream."""
        chances = [member.p for member in here.members]
        if not here.at.training or not any(chances):
            return x
        kept = here.at.kept(chances, x.shape[1:2], x, "mask", here.label)
        return (x * kept.reshape(*kept.shape, *[1] * (x.dim() - 2))).to(x.dtype)
