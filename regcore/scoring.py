"""A row alone is scored as in a crowd, to the bit.

A matrix product sums in another order for other numbers of rows, and for rows that begin at other addresses. So rows
are scored in blocks of one size, and every row of a linear layer's input and output, and every matrix of an attention,
begins at a multiple of 64 bytes.
"""

import copy
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from regcore.modules import SelfAttention, in_use

_BLOCK_ROWS: Final = 64
_MULTIPLE: Final = 16
"""Widths are filled up with zeros to a multiple of this."""


class RowScorer:
    """A trained network that scores each row by itself.

    Args:
        module: In evaluation mode, so that no row's outputs depend on other rows.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = _with_padding(module)

    def __call__(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Outputs of each row, (N, outputs).

        Args:
            x: (N, *feature_shape), on the network's device; numbers in its dtype, tokens as int64.
            lengths: How many steps of each row are in use, (N,); None for all.
        """
        blocks = torch.split(x, _BLOCK_ROWS)
        if lengths is None:
            return torch.cat([self._score(block) for block in blocks])
        by_block = zip(blocks, torch.split(lengths, _BLOCK_ROWS), strict=True)
        return torch.cat([self._score(block, own) for block, own in by_block])

    def _score(self, block: Tensor, lengths: Tensor | None = None) -> Tensor:
        lacking = _BLOCK_ROWS - len(block)
        rows = functional.pad(block, (0, 0) * (block.dim() - 1) + (0, lacking))
        outputs: Tensor = self._module(rows) if lengths is None else self._module(rows, _with_ones(lengths, lacking))
        return outputs[: len(block)]


class _PaddedLinear(nn.Module):
    """A linear layer filled up with zeros, so that what is filled in changes no sum.

    Args:
        weight: Of the layer whose outputs it gives, (outputs, inputs).
        bias: Its, if it has one.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self._num_outputs = len(weight)
        outputs, inputs = (_lacking(width) for width in weight.shape)
        self._weight = functional.pad(weight.detach(), (0, inputs, 0, outputs))
        self._bias = None if bias is None else functional.pad(bias.detach(), (0, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs)."""
        rows = functional.pad(x, (0, _lacking(x.shape[-1])))
        return functional.linear(rows, self._weight, self._bias)[..., : self._num_outputs]


class _PaddedAttention(nn.Module):
    """Self-attention whose heads and steps are filled up: with zeros, and with steps that are not in use.

    Args:
        layer: Whose outputs it gives.
    """

    takes_lengths = True

    def __init__(self, layer: SelfAttention) -> None:
        super().__init__()
        self._num_heads = layer.num_heads
        self._into = _PaddedLinear(layer.in_proj_weight, layer.in_proj_bias)
        self._out = _PaddedLinear(layer.out_proj.weight, layer.out_proj.bias)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, steps, features) to the same shape."""
        num_rows, num_steps, features = x.shape
        size = features // self._num_heads
        parts = self._into(x).view(num_rows, num_steps, 3, self._num_heads, size)
        parts = functional.pad(parts.permute(2, 0, 3, 1, 4), (0, _lacking(size), 0, _lacking(num_steps)))
        query, key, value = parts.unbind()  # each (B, heads, steps, size)
        lengths = torch.full((num_rows,), num_steps, dtype=torch.int64, device=x.device) if lengths is None else lengths
        is_used = in_use(lengths, query.shape[2])[:, None, None, :]
        heads = functional.scaled_dot_product_attention(query, key, value, is_used, scale=size**-0.5)
        outputs: Tensor = self._out(heads[:, :, :num_steps, :size].transpose(1, 2).flatten(2))
        return outputs


def _with_ones(lengths: Tensor, lacking: int) -> Tensor:
    """With as many lengths of 1 as rows are lacking: a row uses at least a step."""
    return functional.pad(lengths, (0, lacking), value=1)


def _lacking(width: int) -> int:
    return -width % _MULTIPLE


def _with_padding(module: nn.Module) -> nn.Module:
    """The same module with its linear layers and attentions padded; the rest is shared with it."""
    if type(module) is SelfAttention:
        return _PaddedAttention(module)
    if type(module) is nn.Linear:  # not a torchvision attention's, whose weights are used without calling it
        return _PaddedLinear(module.weight, module.bias)
    children = dict(module.named_children())
    if not children:
        return module
    twin = copy.copy(module)
    vars(twin)["_modules"] = {name: _with_padding(child) for name, child in children.items()}
    return twin
