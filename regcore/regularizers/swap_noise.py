"""Swap noise: some cells of a row hold what another row of the batch has in the same column.

A cell is a cell of the table that was given: a category with all its places, a number with the mark of its gap. In rows
that are no table every number is a cell.

Source: Jahrer 2017, Porto Seguro's safe driver prediction, winning solution: the noise of a denoising autoencoder
(Vincent et al. 2008, Extracting and composing robust features with denoising autoencoders) for tables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.at import At
from regcore.regularizers.augmentation import NOISE_RANK, not_numbers, spread
from regcore.regularizers.base import Regularizer, Stronger, Surroundings
from regcore.regularizers.effect import Effect, Setting

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.data.rows import Batch


class SwapNoise(Regularizer):
    """x_ij ← x_rj."""

    summary: ClassVar[str] = (
        "While training, some cells of a row take what another row of the batch has in that column."
    )
    formula: ClassVar[str] = "x_ij ← x_rj with probability p,  r ~ U(rows of the batch), for each cell anew"
    source: ClassVar[str] = "Jahrer 2017, Porto Seguro's safe driver prediction, winning solution"
    example: ClassVar[dict[str, Any]] = {"kind": "swap_noise", "p": 0.1}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"p"})
    twice: ClassVar[str | None] = "Two of them swap more cells than either says."
    stronger: ClassVar[Stronger] = {"p": "larger"}

    kind: Literal["swap_noise"] = "swap_noise"
    p: float = Field(ge=0, le=1)
    """How likely a cell is replaced; 0.15 is usual."""

    def needs(self, job: Surroundings) -> str | None:
        if job.row is not None and job.row.varies:
            return (
                "swap_noise needs rows of one length, whose columns mean the same in each, and the length of these "
                "varies; leave it out, or use input_noise or word_dropout."
            )
        return not_numbers(self.kind, job.row)

    @classmethod
    def bind(cls, members: Sequence[SwapNoise], setting: Setting) -> Effect:
        return _SwapNoiseEffect(members, setting)


class _SwapNoiseEffect(Effect):
    members: Sequence[SwapNoise]
    ranks: ClassVar[Mapping[str, int]] = {"on_batch": NOISE_RANK}
    _columns: Tensor | None = None
    """The column of each place of a row; None where each place is a column."""

    def setup(self) -> None:
        import torch

        from regcore.data.tables.encode import TablePreprocessing

        preprocessing = self.setting.preprocessing
        if (
            isinstance(preprocessing, TablePreprocessing)
            and len(preprocessing.encoded) < preprocessing.feature_shape[0]
        ):
            self._columns = torch.tensor(preprocessing.columns_of_places, dtype=torch.int64, device=self.setting.device)

    def on_batch(self, batch: Batch, at: At) -> Batch:
        import torch

        name, num_rows, row = self.setting.name, batch.x.shape[1], batch.x.shape[2:]
        x = spread(batch.x, len(self.members)).flatten(2)
        num_cells = math.prod(row) if self._columns is None else int(self._columns[-1]) + 1
        is_swapped = at.chosen(self.each("p"), (num_rows, num_cells), x, name)
        # A remainder of 32 random bits prefers no row by more than one part in a million.
        partners = at.integers(num_rows * num_cells, x, name, "partners").remainder(num_rows).view_as(is_swapped)
        own = torch.arange(num_rows, dtype=partners.dtype, device=x.device).unsqueeze(1)
        sources = torch.where(is_swapped, partners, own).long()
        if self._columns is not None:
            sources = sources.index_select(2, self._columns)
        return batch.having(x=x.gather(1, sources).view(-1, num_rows, *row))
