"""One vector for a whole sequence, or for a whole image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from regcore.layers.base import Layer
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import nn


class GlobalPool(Layer):
    """Over the steps that a row uses, or over all pixels of an image."""

    summary: ClassVar[str] = "Pooling of a whole sequence into one step, or of a whole image into one pixel."
    formula: ClassVar[str] = (
        "(T, D) → (D,): mean or max over the steps in use, or the first or last of them;  (C, H, W) → (C,)"
    )
    source: ClassVar[str] = "Lin, Chen & Yan 2014, Network in network; torch.nn.AdaptiveAvgPool2d and AdaptiveMaxPool2d"
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [
            {"kind": "conv2d", "channels": 16, "kernel_size": 3},
            {"kind": "activation"},
            {"kind": "global_pool", "method": "mean"},
            {"kind": "linear"},
        ],
    }
    member_fields: ClassVar[frozenset[str] | None] = frozenset()

    kind: Literal["global_pool"] = "global_pool"
    method: Literal["mean", "max", "last", "first", "ends"] = "mean"
    """Of each feature or channel; `last` and `first` take one step of a sequence as it is; `ends`, behind a
    bidirectional layer, what each direction shows when it has read all: the first half of the features at the last step
    and the second half at the first."""

    def output(self, seen: RowInfo) -> RowInfo:
        if len(seen.shape) == 2:
            if self.method == "ends" and seen.shape[1] % 2:
                raise ValueError(
                    f"global_pool by ends expects (steps, features) of two directions, and so an even number of "
                    f"features; it gets {seen.shape}"
                )
            return seen.of(seen.shape[1], varies=False)
        if len(seen.shape) != 3:
            raise ValueError(f"global_pool expects (steps, features) or (C, H, W); it gets {seen.shape}")
        if self.method in ("last", "first", "ends"):
            raise ValueError(f"global_pool by {self.method} expects (steps, features); it gets {seen.shape}")
        return seen.of(seen.shape[0], varies=False)

    def module(self, seen: RowInfo) -> nn.Module:
        from regcore.modules import GlobalPool as GlobalPoolModule

        return GlobalPoolModule(self.method)
