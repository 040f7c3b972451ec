"""A row alone is scored as in a crowd, to the bit.

A matrix product sums in another order for other numbers of rows, and for rows that begin at other addresses. So rows
are scored in blocks of one size, and every row of a linear layer's input and output begins at a multiple of 64 bytes.
"""

import copy
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

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
        layer: Whose outputs it gives.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        outputs, inputs = (_lacking(width) for width in layer.weight.shape)
        bias: Tensor | None = layer.bias  # which torch declares as always there
        self._num_outputs = layer.out_features
        self._weight = functional.pad(layer.weight.detach(), (0, inputs, 0, outputs))
        self._bias = None if bias is None else functional.pad(bias.detach(), (0, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs)."""
        rows = functional.pad(x, (0, _lacking(x.shape[-1])))
        return functional.linear(rows, self._weight, self._bias)[..., : self._num_outputs]


def _with_ones(lengths: Tensor, lacking: int) -> Tensor:
    """With as many lengths of 1 as rows are lacking: a row uses at least a step."""
    return functional.pad(lengths, (0, lacking), value=1)


def _lacking(width: int) -> int:
    return -width % _MULTIPLE


def _with_padding(module: nn.Module) -> nn.Module:
    """The same module with its linear layers padded; the rest is shared with it."""
    if type(module) is nn.Linear:  # not attention's, whose weights are used without calling it
        return _PaddedLinear(module)
    children = dict(module.named_children())
    if not children:
        return module
    twin = copy.copy(module)
    vars(twin)["_modules"] = {name: _with_padding(child) for name, child in children.items()}
    return twin
