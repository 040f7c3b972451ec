"""Plain torch modules that lists of layers become; some take lengths besides rows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Chain(nn.Sequential):
    """A sequence that hands lengths on to the modules that take them."""

    takes_lengths = True

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Any:
        """The last module's outputs; lengths are (B,)."""
        for module in self:
            takes = lengths is not None and getattr(module, "takes_lengths", False)
            x = module(x, lengths) if takes else module(x)
        return x


class ResidualChain(Chain):
    """x + f(x)."""

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Any:
        """The sum of the rows and the last module's outputs."""
        return x + super().forward(x, lengths)


class DropPath(nn.Module):
    """Zeroes whole rows with probability p while training, and scales the others by 1/(1 − p)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) to the same shape."""
        if not self.training or self.p == 0:
            return x
        kept = torch.rand(len(x), *[1] * (x.dim() - 1), device=x.device) >= self.p
        return x * kept / (1 - self.p)
