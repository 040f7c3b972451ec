"""A row alone is scored as in a crowd, to the bit.

A matrix product sums in another order for other numbers of rows, and for rows that begin at other addresses. So rows
are scored in blocks of one size, and every row of a block, and of each hidden layer, begins at a multiple of 64 bytes.
"""

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
        module: Linear layers, and layers that treat each number by itself; in evaluation mode.
    """

    def __init__(self, module: nn.Module) -> None:
        self._stages: list[nn.Module | tuple[Tensor, Tensor | None]] = [
            _padded(stage) if isinstance(stage, nn.Linear) else stage for stage in module.children()
        ]
        linear = [stage for stage in module.children() if isinstance(stage, nn.Linear)]
        self._num_outputs = linear[-1].out_features

    def __call__(self, x: Tensor) -> Tensor:
        """Outputs of each row, (N, outputs).

        Args:
            x: (N, *feature_shape), in the network's dtype and on its device.
        """
        blocks = [self._score(block) for block in torch.split(x.flatten(1), _BLOCK_ROWS)]
        return torch.cat(blocks)

    def _score(self, block: Tensor) -> Tensor:
        rows = functional.pad(block, (0, _lacking(block.shape[1]), 0, _BLOCK_ROWS - len(block)))
        for stage in self._stages:
            rows = functional.linear(rows, *stage) if isinstance(stage, tuple) else stage(rows)
        return rows[: len(block), : self._num_outputs]


def _lacking(width: int) -> int:
    return -width % _MULTIPLE


def _padded(layer: nn.Linear) -> tuple[Tensor, Tensor | None]:
    """Its weight and bias, filled up with zeros, so that what is filled in changes no sum."""
    outputs, inputs = (_lacking(width) for width in layer.weight.shape)
    weight = functional.pad(layer.weight.detach(), (0, inputs, 0, outputs))
    bias: Tensor | None = layer.bias  # which torch declares as always there
    return weight, None if bias is None else functional.pad(bias.detach(), (0, outputs))
