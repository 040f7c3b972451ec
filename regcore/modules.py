"""Plain torch modules that layers become, where torch has none; some take lengths besides rows.

What a row does not use of its steps changes nothing in those that it uses.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn


class Chain(nn.Sequential):
    """A sequence that hands lengths on to the modules that take them, as the modules that change them say."""

    takes_lengths = True

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Any:
        """The last module's outputs; lengths are (B,)."""
        for module in self:
            takes = lengths is not None and getattr(module, "takes_lengths", False)
            x = module(x, lengths) if takes else module(x)
            behind = getattr(module, "lengths_behind", None)
            lengths = behind(lengths) if behind is not None and lengths is not None else lengths
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
        kept = torch.rand(len(x), *[1] * (x.dim() - 1), dtype=torch.float32, device=x.device) >= self.p
        return x * kept / (1 - self.p)


def in_use(lengths: Tensor, num_steps: int) -> Tensor:
    """Which steps of each row are in use: (..., B) to (..., B, num_steps)."""
    return torch.arange(num_steps, dtype=torch.int64, device=lengths.device) < lengths.unsqueeze(-1)


class TokenEmbedding(nn.Embedding):
    """One vector for each token; token 0 is padding: zeros, which get no gradient.

    It begins as `torch.nn.Embedding` with padding_idx=0, and equals it.
    """

    def __init__(self, num_tokens: int, features: int) -> None:
        super().__init__(num_tokens, features, padding_idx=0)

    def forward(self, input: Tensor) -> Tensor:
        """(B, ...) of integers to (B, ..., features)."""
        return super().forward(input) * (input != 0).unsqueeze(-1)


class LearnedPositions(nn.Module):
    """Adds to each step a vector of its place.

    Args:
        num_steps: The most that a row may have.
        features: Of a step.
        deviation: Of the first values.
    """

    def __init__(self, num_steps: int, features: int, deviation: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.empty(num_steps, features, dtype=torch.get_default_dtype()).normal_(0, deviation)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, steps, features), of as many steps as there are vectors, or fewer."""
        return x + self.weight[: x.shape[1]]


class SinusoidalPositions(nn.Module):
    """Adds to each step sines and cosines of its place."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., steps, features)."""
        return x + sinusoids(x.shape[-2], x.shape[-1], x)


def sinusoids(num_steps: int, features: int, like: Tensor) -> Tensor:
    """sin(t/10000^(2i/D)) at the even features 2i of step t, and the cosine at the odd ones 2i + 1.

    Returns:
        (num_steps, features), in the dtype and on the device of `like`.

    Source: Vaswani et al. 2017, Attention is all you need, §3.5.
    """
    steps = torch.arange(num_steps, dtype=torch.float64, device=like.device).unsqueeze(1)
    places = torch.arange(features, dtype=torch.int64, device=like.device)
    angles = steps * 10_000.0 ** (-(places - places % 2).double() / features)
    return torch.where(places % 2 == 0, angles.sin(), angles.cos()).to(like.dtype)


class SelfAttention(nn.MultiheadAttention):
    """`torch.nn.MultiheadAttention` of a sequence to itself; no step sees one that is not in use."""

    takes_lengths = True

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:  # type: ignore[override]  # another signature: a plain module takes rows and lengths
        """(B, steps, features) to the same shape."""
        padding = None if lengths is None else ~in_use(lengths, x.shape[1])
        outputs, _ = super().forward(x, x, x, key_padding_mask=padding, need_weights=False)
        return outputs


class GlobalPool(nn.Module):
    """One step, or one pixel, out of all that a row uses.

    Args:
        method: How.
    """

    takes_lengths = True

    def __init__(self, method: Literal["mean", "max", "last", "first", "ends"]) -> None:
        super().__init__()
        self.method = method

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, steps, features) to (B, features); images, (B, C, H, W), to (B, C)."""
        x = x.flatten(2).mT if x.dim() > 3 else x
        if self.method == "first":
            return x[:, 0]
        if self.method == "ends":
            forward, backward = x.chunk(2, dim=2)
            last = forward[:, -1] if lengths is None else _last_in_use(forward, lengths)
            return torch.cat([last, backward[:, 0]], dim=1)
        if lengths is None:
            return x[:, -1] if self.method == "last" else x.mean(1) if self.method == "mean" else x.amax(1)
        if self.method == "last":
            return _last_in_use(x, lengths)
        used = in_use(lengths, x.shape[1]).unsqueeze(2)
        if self.method == "max":
            return x.masked_fill(~used, -torch.inf).amax(1)
        # Takes 0.8 times as long as to fill; a product would let through what is not finite.
        return torch.where(used, x, 0).sum(1) / lengths.unsqueeze(1)


def _last_in_use(x: Tensor, lengths: Tensor) -> Tensor:
    """(B, steps, features) to (B, features)."""
    return x.take_along_dim((lengths - 1).view(-1, 1, 1), 1).squeeze(1)


class ImageRows(nn.Module):
    """An image as the sequence of its rows, each with the pixels of all channels."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., C, H, W) to (..., H, C·W)."""
        return x.transpose(-3, -2).flatten(-2)


class Reshape(nn.Module):
    """Rows with other axes.

    Args:
        shape: Of a row that it gives.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) to (B, *shape)."""
        return x.reshape(len(x), *self.shape)
