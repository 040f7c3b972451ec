"""The layers with which short forms begin, by the rows that they get."""

from collections.abc import Sequence
from typing import Final

from regcore.layers import Embedding, GlobalPool, ImageRows, Layer
from regcore.shapes import RowInfo

EMBEDDING: Final = 64
"""Numbers in the vector of a token, where nothing else is said."""


def as_vector(row: RowInfo, embedding: int) -> Sequence[Layer]:
    """What makes a vector of rows that a linear layer cannot take: the mean over the tokens or steps in use.

    Of tokens it is a bag of embeddings: Joulin et al. 2017, Bag of tricks for efficient text classification.
    """
    if row.tokens is not None:
        return [Embedding(features=embedding), GlobalPool(method="mean")]
    return [GlobalPool(method="mean")] if row.varies else []


def as_steps(kind: str, row: RowInfo, embedding: int) -> Sequence[Layer]:
    """What makes a sequence of steps of a row: vectors of its tokens, or an image's rows of pixels.

    Raises:
        ValueError: The row is neither.
    """
    if row.tokens is not None and len(row.shape) == 1:
        return [Embedding(features=embedding)]
    if row.tokens is None and len(row.shape) == 3:
        return [ImageRows()]
    if row.tokens is None and len(row.shape) == 2:
        return []
    raise ValueError(
        f"{kind} expects images, (C, H, W), sequences, (steps, features), or tokens; it gets {row.shape} from the rows"
    )
