"""Cutout: a square of each image is hidden.

The square's middle may lie anywhere in the image, so that part of it may lie outside, as in the paper. What is hidden
is 0 as the network sees it: black in images in [0, 1], the mean of the train rows' pixels in standardized ones.

Source: DeVries & Taylor 2017, Improved regularization of convolutional neural networks with cutout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from regcore.at import At
from regcore.doubts import Doubt, RunShape
from regcore.regularizers.augmentation import MASKS_RANK, boxes, not_images, sides, whole_numbers
from regcore.regularizers.base import Regularizer, Stronger, Surroundings
from regcore.regularizers.effect import Effect, Setting
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from regcore.data.rows import Batch


class Cutout(Regularizer):
    """x · (1 − square)."""

    summary: ClassVar[str] = "While training, hides a square of `size` by `size` pixels of each image."
    formula: ClassVar[str] = "x ← 0 in a square of size × size around a pixel ~ U(image), as far as it lies inside"
    source: ClassVar[str] = "DeVries & Taylor 2017"
    example: ClassVar[dict[str, Any]] = {"kind": "cutout", "size": 2}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"size"})
    twice: ClassVar[str | None] = "Two cutouts hide two squares, which may overlap."
    stronger: ClassVar[Stronger] = {"size": "larger"}

    kind: Literal["cutout"] = "cutout"
    size: int | None = Field(default=None, ge=0, le=10_000)
    """Pixels of a side of the square; null for a quarter of the image's shorter side. 0 hides nothing."""

    def fitted(self, row: RowInfo) -> Self:
        found = sides(row)
        if self.size is not None or found is None:
            return self
        return self.model_copy(update={"size": round(min(found) / 4)})

    def needs(self, job: Surroundings) -> str | None:
        found = sides(job.row)
        if found is not None and self.size is not None and self.size > max(found):
            return (
                f"cutout.size must be at most the image's longer side, {max(found)}; received {self.size}. Lower it: "
                "a quarter to a half of a side is usual."
            )
        return not_images(self.kind, job.row)

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        if any(other.kind == "random_erasing" for other in run.regularizers):
            yield Doubt(
                "",
                "cutout_with_random_erasing",
                "both hide a part of the image, and together they hide more than either says.",
                "Keep one of them.",
            )

    @classmethod
    def bind(cls, members: Sequence[Cutout], setting: Setting) -> Effect:
        return _CutoutEffect(members, setting)


class _CutoutEffect(Effect):
    members: Sequence[Cutout]
    ranks: ClassVar[Mapping[str, int]] = {"on_batch": MASKS_RANK}

    def on_batch(self, batch: Batch, at: At) -> Batch:
        import torch

        x = batch.x
        *_, channels, height, width = x.shape
        drawn = at.uniform((x.shape[1], 2), x, self.setting.name)
        row = RowInfo((channels, height, width))
        sizes = [[member.fitted(row).size or 0] for member in self.members]
        size = torch.tensor(sizes, dtype=torch.int64, device=x.device)
        top, left = (
            whole_numbers(part, side).long() - size // 2
            for part, side in zip(drawn.unbind(2), (height, width), strict=True)
        )
        return batch.having(x=x.masked_fill(boxes(top, left, size, size, (height, width)), 0.0))
