"""Swap noise: some cells of a row hold what another row of the batch has in the same column.

A cell is a cell of the table that was given: a category with all its places, a number with the mark of its gap. In rows
that are no table every number is a cell.

Source: Jahrer 2017, Porto Seguro's safe driver prediction, winning solution: the noise of a denoising autoencoder
(Vincent et al. 2008, Extracting and composing robust features with denoising autoencoders) for tables.
"""

from __future__ import annotations

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

        num_rows, row, num_members = batch.x.shape[1], batch.x.shape[2:], len(self.members)
        x = spread(batch.x, num_members).flatten(2)
        num_cells = x.shape[2] if self._columns is None else int(self._columns[-1]) + 1
        drawn = at.integers(num_rows * num_cells, x, self.setting.name).view(num_members, num_rows, num_cells)
        if self._columns is not None:
            drawn = drawn.index_select(2, self._columns)
        # Of numbers from 0 to 2³² those below p · 2³² are swapped, and how far below says with which row.
        chances = self.each("p")
        last = [max(0, round(p * 2**32) - 1) - 2**31 for p in chances]
        is_swapped = drawn <= torch.tensor(last, dtype=torch.int32, device=x.device).view(-1, 1, 1)
        for of_member, p in zip(is_swapped, chances, strict=True):
            if p == 0:
                of_member.fill_(False)
        places = is_swapped.flatten().nonzero().squeeze(1)
        member = places // drawn[0].numel()
        heights = drawn.take(places).to(torch.float64).add_(2.0**31)
        heights /= torch.tensor(chances, dtype=torch.float64, device=x.device)[member]
        partners = (heights * (num_rows / 2.0**32)).long().clamp_(max=num_rows - 1)
        sources = (member * num_rows + partners) * x.shape[2] + places % x.shape[2]
        swapped = x.flatten().scatter(0, places, x.take(sources))
        return batch.having(x=swapped.view(num_members, num_rows, *row))
