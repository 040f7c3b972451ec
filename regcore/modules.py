"""Plain torch modules that lists of layers become; some take lengths besides rows."""

from __future__ import annotations

from typing import Any

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
