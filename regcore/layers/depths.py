"""How far each tensor of a model is from the output, in layers."""

from __future__ import annotations

from collections.abc import Sequence

from regcore.shapes import TensorInfo


def depths(tensors: Sequence[TensorInfo]) -> dict[str, int]:
    """The layers between each tensor and the output layer's, whose own are at 0.

    A layer is an entry of the model's list, as a residual block with all that is inside; of an opaque model a block
    (`TensorInfo.block`). What has neither weights nor embeddings, as a normalization, counts to the layer before it.

    Args:
        tensors: The model's, from input to output.
    """
    blocks = {tensor.name: tensor.block or tensor.name.partition(".")[0] for tensor in tensors}
    weighty = {blocks[tensor.name] for tensor in tensors if tensor.role in ("weight", "embedding")}
    places: dict[str, int] = {}
    last = -1
    for block in dict.fromkeys(blocks.values()):
        last += block in weighty
        places[block] = max(0, last)
    return {name: max(0, last) - places[block] for name, block in blocks.items()}
