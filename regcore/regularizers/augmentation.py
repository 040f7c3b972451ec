"""What the regularizers that change rows have in common: which rows they need, and where in an image they act.

They act on what the network learns from, at `on_batch`, and on nothing that is measured: `train/*` is of the rows as
they are. Their ranks there: places 0 (crops, shifts, swaps), noise 3, masks 5, and then mixtures of rows, 10. So noise
is moved by nothing, a mask stays a mask, and what is mixed has been augmented.

What moves the numbers of a row moves a target that is the row itself, so that an autoencoder learns the moved row.
Noise and masks leave that target as it was, so that one learns to undo them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.data.rows import Batch
    from regcore.regularizers.effect import Setting

PLACES_RANK: Final = 0
NOISE_RANK: Final = 3
MASKS_RANK: Final = 5
MIXTURES_RANK: Final = 10


def not_images(kind: str, row: RowInfo | None) -> str | None:
    """Why this kind cannot act on such rows, if they are no images."""
    if row is None or (len(row.shape) == 3 and row.tokens is None and not row.varies):
        return None
    return f"{kind} needs images, (channels, height, width), and these rows are {_told(row)}; leave it out."


def not_numbers(kind: str, row: RowInfo | None) -> str | None:
    """Why this kind cannot act on such rows, if they are tokens."""
    if row is None or row.tokens is None:
        return None
    return f"{kind} needs rows of numbers, and these rows are {_told(row)}; leave it out, or use word_dropout."


def not_tokens(kind: str, row: RowInfo | None) -> str | None:
    """Why this kind cannot act on such rows, if they are no tokens."""
    if row is None or row.tokens is not None:
        return None
    return f"{kind} needs texts, which are rows of tokens, and these rows are {_told(row)}; leave it out."


def not_sound(kind: str, row: RowInfo | None) -> str | None:
    """Why this kind cannot act on such rows, if they are no sequences of numbers."""
    if row is None or (len(row.shape) == 2 and row.tokens is None):
        return None
    return f"{kind} needs sound or another sequence, (steps, bands), and these rows are {_told(row)}; leave it out."


def sides(row: RowInfo | None) -> tuple[int, int] | None:
    """Height and width of an image; None for other rows."""
    return None if row is None or not_images("", row) else (row.shape[1], row.shape[2])


def spread(part: Tensor, num_members: int) -> Tensor:
    """A part of a batch as every member has it, (K, B, ...); a view where all have the same."""
    return part.expand(num_members, *part.shape[1:])


def whole_numbers(uniform: Tensor, num_values: float | Tensor) -> Tensor:
    """From numbers in [0, 1) to 0, …, num_values − 1, all equally likely."""
    import torch

    # A number just below 1, times a large count, may round up to the count.
    return torch.minimum((uniform * num_values).floor(), torch.as_tensor(num_values - 1, dtype=uniform.dtype))


def in_use(batch: Batch) -> Tensor | None:
    """Which steps of a batch's rows are in use, (K, B, steps); None if all are."""
    import torch

    if batch.lengths is None:
        return None
    return torch.arange(batch.x.shape[2], dtype=torch.int64, device=batch.x.device) < batch.lengths.unsqueeze(-1)


def over_steps(steps: Tensor, x: Tensor) -> Tensor:
    """(K, B, steps) to broadcast over rows (K, B, steps, ...)."""
    view: Tensor = steps.view(*steps.shape, *[1] * (x.dim() - 3))
    return view


def boxes(top: Tensor, left: Tensor, height: Tensor, width: Tensor, sides: Sequence[int]) -> Tensor:
    """Which pixels lie in a box, (..., 1, H, W), of its place and size, (...); what sticks out of the image is cut."""
    import torch

    rows, columns = (torch.arange(side, dtype=torch.int64, device=top.device) for side in sides)
    in_rows = (rows >= top.unsqueeze(-1)) & (rows < (top + height).unsqueeze(-1))
    in_columns = (columns >= left.unsqueeze(-1)) & (columns < (left + width).unsqueeze(-1))
    return (in_rows.unsqueeze(-1) & in_columns.unsqueeze(-2)).unsqueeze(-3)


def scaling_of(setting: Setting) -> tuple[Tensor, Tensor] | None:
    """Mean and standard deviation that each number of a row was scaled by, (*row); None if nothing was."""
    import torch

    preprocessing = setting.preprocessing
    scaling = None if preprocessing is None or not preprocessing.is_fitted else preprocessing.scaling
    if preprocessing is None or scaling is None:
        return None
    mean, std = (
        torch.from_numpy(part).to(setting.device, setting.dtype).view(preprocessing.row.shape) for part in scaling
    )
    return mean, std


def _told(row: RowInfo) -> str:
    length = " of varying length" if row.varies else ""
    return f"{'tokens' if row.tokens is not None else 'numbers'}, {row.shape}{length}"
