"""CutMix: a rectangle of each image is replaced by that of another one, and the targets are mixed by its area.

Only what the optimizer sees is mixed: every metric, `train/accuracy` too, is of the rows and targets as they are.

Source: Yun et al. 2019, CutMix: regularization strategy to train strong classifiers with localizable features.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.at import At
from regcore.doubts import Doubt, RunShape
from regcore.regularizers.augmentation import MIXTURES_RANK, boxes, not_images, spread
from regcore.regularizers.base import Regularizer, Stronger, Surroundings
from regcore.regularizers.effect import Effect, Setting
from regcore.regularizers.mixtures import MAX_ALPHA, Mixture, doubts_of_mixtures, draw_mixture

if TYPE_CHECKING:
    from regcore.data.rows import Batch

Box = tuple[int, int, int, int]
"""Top, left, height and width."""


class CutMix(Regularizer):
    """M·x + (1 − M)·x′, and λ·y + (1 − λ)·y′."""

    summary: ClassVar[str] = (
        "While training, puts a rectangle of another image of the batch into each, and mixes targets."
    )
    formula: ClassVar[str] = (
        "x ← x′ in a rectangle of sides √(1 − λ)·(H, W) around a pixel ~ U(image), λ ~ Beta(α, α) once for a batch;  "
        "y ← λ′y + (1 − λ′)y′,  1 − λ′ the share of the image that the rectangle covers"
    )
    source: ClassVar[str] = "Yun et al. 2019"
    example: ClassVar[dict[str, Any]] = {"kind": "cutmix", "alpha": 1.0}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"alpha"})
    twice: ClassVar[str | None] = "Two of them make mixtures of mixtures, of up to four rows."
    stronger: ClassVar[Stronger] = {"alpha": "larger"}

    kind: Literal["cutmix"] = "cutmix"
    alpha: float = Field(default=1.0, ge=0, le=MAX_ALPHA)
    """α of the Beta distribution: 0 mixes nothing, 1 in all proportions alike, more nearer to halves."""

    def needs(self, job: Surroundings) -> str | None:
        return not_images(self.kind, job.row)

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        yield from doubts_of_mixtures(self.kind, run)

    @classmethod
    def bind(cls, members: Sequence[CutMix], setting: Setting) -> Effect:
        return _CutMixEffect(members, setting)


class _CutMixEffect(Effect):
    """Each member draws its rectangle, one for all rows of a batch, and its partners from its own stream."""

    members: Sequence[CutMix]
    ranks: ClassVar[Mapping[str, int]] = {"on_batch": MIXTURES_RANK}

    def on_batch(self, batch: Batch, at: At) -> Batch:
        import torch

        task, num_members = self.setting.task, len(self.members)
        x, y = (spread(part, num_members) for part in (batch.x, task.soft(batch.y)))
        *_, height, width = x.shape
        mixture = draw_mixture(self.each("alpha"), x, at.streams(self.setting.name))
        cut = [_box(mixture, k, height, width) for k in range(num_members)]
        top, left, tall, wide = torch.tensor(cut, dtype=torch.int64, device=x.device).unsqueeze(1).unbind(2)
        is_cut = boxes(top, left, tall, wide, (height, width))
        if task.gives_rows:
            y = torch.where(is_cut, mixture.others(y), y)
        else:
            y = mixture.mixed(y, [1 - tall * wide / (height * width) for *_, tall, wide in cut])
        return batch.having(x=torch.where(is_cut, mixture.others(x), x), y=y)


def _box(mixture: Mixture, member: int, height: int, width: int) -> Box:
    """A member's rectangle, as far as it lies inside."""
    side = math.sqrt(1 - mixture.shares[member])
    edges = []
    for length in (height, width):
        middle, half = int(mixture.streams[member].integers(length)), int(length * side) // 2
        edges.append((max(0, middle - half), min(length, middle + half)))
    (top, bottom), (left, right) = edges
    return top, left, bottom - top, right - left
