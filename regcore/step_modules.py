"""Plain torch modules over the steps of sequences, (B, steps, features): convolution, pooling and normalization.

What a row does not use of its steps changes nothing in those that it uses. Modules that give other steps than they get
say by `lengths_behind` how many of them are in use.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from regcore.modules import in_use


def places_in_use(lengths: Tensor, window: int, stride: int, padding: int = 0) -> Tensor:
    """How many places a window has on what each row uses; 1 on less than a window, as if zeros went on with it."""
    return ((lengths + 2 * padding - window).div(stride, rounding_mode="floor") + 1).clamp(min=1)


def padded_steps(x: Tensor, is_used: Tensor | None, margins: tuple[int, int], window: int) -> Tensor:
    """Steps with zeros where they are not in use, around them, and up to the size of a window.

    Args:
        x: (..., steps, features).
        is_used: (..., steps); None if all are.
        margins: Zeros in front and behind.
        window: The fewest steps to give.
    """
    x = x if is_used is None else x * is_used.unsqueeze(-1)
    front, behind = margins
    behind = max(behind, window - front - x.shape[-2])
    return functional.pad(x, (0, 0, front, behind)) if front or behind else x


class StepConvolution(nn.Conv1d):
    """`torch.nn.Conv1d` over (features, steps).

    Args:
        features: Of a step.
        channels: Filters.
        size: Steps in a window.
        stride: Steps between windows.
        margins: Zeros in front and behind.
        bias: Whether there is one.
    """

    takes_lengths = True

    def __init__(
        self, features: int, channels: int, size: int, stride: int, *, margins: tuple[int, int], bias: bool
    ) -> None:
        super().__init__(features, channels, size, stride, bias=bias)
        self.margins = margins

    def forward(self, input: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, steps, features) to (B, places, channels)."""
        is_used = None if lengths is None else in_use(lengths, input.shape[1])
        return super().forward(padded_steps(input, is_used, self.margins, self.kernel_size[0]).mT).mT

    def lengths_behind(self, lengths: Tensor) -> Tensor:
        """How many places of each row are in use."""
        front, behind = self.margins
        # One zero more behind than in front is what keeps the number of steps.
        return lengths if front != behind else places_in_use(lengths, self.kernel_size[0], self.stride[0], front)


class StepPool(nn.Module):
    """The largest value, or the mean, of each window of steps.

    Args:
        method: Which of them.
        size: Steps in a window.
        stride: Steps between windows.
    """

    takes_lengths = True

    def __init__(self, method: Literal["max", "mean"], size: int, stride: int) -> None:
        super().__init__()
        self.method = method
        self.size = size
        self.stride = stride

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, steps, features) to (B, places, features)."""
        is_used = None if lengths is None else in_use(lengths, x.shape[1])
        if self.method == "mean":
            return padded_steps(x, is_used, (0, 0), self.size).unfold(1, self.size, self.stride).mean(-1)
        if is_used is not None:
            x = x.masked_fill(~is_used.unsqueeze(2), -torch.inf)
        missing = max(0, self.size - x.shape[1])
        x = functional.pad(x, (0, 0, 0, missing), value=-torch.inf) if missing else x
        largest = x.unfold(1, self.size, self.stride).amax(-1)
        if lengths is None:
            return largest
        # A window of nothing would give −∞, of which a product with 0 is no number.
        return largest.masked_fill(~in_use(self.lengths_behind(lengths), largest.shape[1]).unsqueeze(2), 0)

    def lengths_behind(self, lengths: Tensor) -> Tensor:
        """How many places of each row are in use."""
        return places_in_use(lengths, self.size, self.stride)


class StepBatchNorm(nn.BatchNorm1d):
    """`torch.nn.BatchNorm1d` over all steps in use of all rows, each as a row of its own."""

    takes_lengths = True

    def forward(self, input: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, steps, features) to the same shape."""
        if lengths is None or not self.training:
            return super().forward(input.flatten(0, 1)).view_as(input)
        is_used = in_use(lengths, input.shape[1]).flatten()
        steps = input.flatten(0, 1)
        normalized = self.bias.expand_as(steps).clone()
        normalized[is_used] = super().forward(steps[is_used])
        return normalized.view_as(input)


class StepGroupNorm(nn.GroupNorm):
    """`torch.nn.GroupNorm` over (features, steps): mean and variance are over a row's steps in use."""

    takes_lengths = True

    def forward(self, input: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, steps, features) to the same shape."""
        if lengths is None:
            return super().forward(input.mT).mT
        is_used = in_use(lengths, input.shape[1])
        normalized = normalized_groups(input, is_used, self.num_groups, self.eps)
        return torch.addcmul(self.bias, normalized, self.weight)


def normalized_groups(x: Tensor, is_used: Tensor, num_groups: int, eps: float) -> Tensor:
    """Each group of features with mean 0 and variance 1 over its features and the steps in use.

    Args:
        x: (..., steps, features).
        is_used: (..., steps).
        num_groups: Into how many groups the features are divided.
        eps: Added to the variance.
    """
    groups = x.reshape(
        *x.shape[:-1], num_groups, x.shape[-1] // num_groups
    )  # (..., steps, groups, features of a group)
    counts = is_used[..., None, None].to(x.dtype)
    num_values = counts.sum(-3, keepdim=True) * groups.shape[-1]
    centred = groups - (groups * counts).sum((-3, -1), keepdim=True) / num_values
    variance = (centred.square() * counts).sum((-3, -1), keepdim=True) / num_values
    return (centred * (variance + eps).rsqrt()).flatten(-2)
