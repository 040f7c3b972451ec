"""Random crops and flips: images are shifted by some pixels, and mirrored.

A crop of the image with a margin around it is the image shifted, with the margin where nothing was: with
`flip_probability` 0 this is random translation alone. The margin is black, whatever the images are scaled to.

Source: Krizhevsky et al. 2012, ImageNet classification with deep convolutional neural networks, §4.1; with a margin as
in He et al. 2016, Deep residual learning, §4.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

from pydantic import Field

from regcore.at import At
from regcore.doubts import Doubt, RunShape
from regcore.regularizers.augmentation import PLACES_RANK, not_images, scaling_of, sides, whole_numbers
from regcore.regularizers.base import Regularizer, Stronger, Surroundings
from regcore.regularizers.effect import Effect, Setting
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.data.rows import Batch

_SHARE_OF_SIDE: Final = 8
"""A margin of 4 around 32 pixels, as is usual."""
_NUM_DIGITS: Final = 10
"""Fewer classes of one character may be called so for short."""


class CropFlip(Regularizer):
    """x[y + dy, ±x + dx]."""

    summary: ClassVar[str] = "While training, shifts each image by up to `padding` pixels, and mirrors some."
    formula: ClassVar[str] = (
        "x ← crop(pad(x)), the corner ~ U{0, …, 2·padding} in each direction; then left and right change places with "
        "probability flip_probability"
    )
    source: ClassVar[str] = "Krizhevsky et al. 2012, §4.1; He et al. 2016, §4.2"
    example: ClassVar[dict[str, Any]] = {"kind": "crop_flip", "padding": 1, "flip_probability": 0.0}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"padding", "flip_probability"})
    twice: ClassVar[str | None] = "Two of them shift by up to both paddings, and a second flip undoes the first."
    stronger: ClassVar[Stronger] = {"padding": "larger", "flip_probability": "larger"}

    kind: Literal["crop_flip"] = "crop_flip"
    padding: int | None = Field(default=None, ge=0, le=10_000)
    """Pixels of margin around the image before it is cropped to its size; null for an eighth of its shorter side."""
    flip_probability: float = Field(default=0.5, ge=0, le=1)
    """How likely an image is mirrored; 0 where left and right mean something, as in digits and letters."""

    def fitted(self, row: RowInfo) -> Self:
        found = sides(row)
        if self.padding is not None or found is None:
            return self
        return self.model_copy(update={"padding": round(min(found) / _SHARE_OF_SIDE)})

    def needs(self, job: Surroundings) -> str | None:
        found = sides(job.row)
        if found is not None and self.padding is not None and self.padding >= min(found):
            return (
                f"crop_flip.padding must be less than the image's sides, {found[0]} and {found[1]}; received "
                f"{self.padding}, which may leave nothing of it. Lower it: an eighth of a side is usual."
            )
        return not_images(self.kind, job.row)

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        are_characters = all(len(label) == 1 and label.isascii() and label.isalnum() for label in run.classes)
        if self.flip_probability > 0 and len(run.classes) >= _NUM_DIGITS and are_characters:
            yield Doubt(
                "/flip_probability",
                "flipped_characters",
                f"the classes are called {', '.join(run.classes[:3])}, … as characters are, and a mirrored one is "
                "mostly another or none.",
                "Set flip_probability to 0.",
            )

    @classmethod
    def bind(cls, members: Sequence[CropFlip], setting: Setting) -> Effect:
        return _CropFlipEffect(members, setting)


class _CropFlipEffect(Effect):
    members: Sequence[CropFlip]
    ranks: ClassVar[Mapping[str, int]] = {"on_batch": PLACES_RANK}

    def setup(self) -> None:
        import torch

        self._black = torch.zeros((), dtype=self.setting.dtype, device=self.setting.device)
        scaling = scaling_of(self.setting)
        if scaling is not None:
            mean, std = (part[:, :1, :1] for part in scaling)  # the same for all pixels of a channel
            self._black = -mean / std

    def on_batch(self, batch: Batch, at: At) -> Batch:
        x = batch.x
        *_, channels, height, width = x.shape
        margins = [int(member.fitted(RowInfo((channels, height, width))).padding or 0) for member in self.members]
        places = self._places(margins, height, width, at.uniform((x.shape[1], 3), x, self.setting.name))
        moved = self._moved(x, max(margins), places)
        if not self.setting.task.gives_rows:
            return batch.having(x=moved)
        return batch.having(x=moved, y=moved if batch.y is x else self._moved(batch.y, max(margins), places))

    def _places(self, margins: Sequence[int], height: int, width: int, drawn: Tensor) -> Tensor:
        """For each pixel of each image its place in the image with the widest margin, (K, B, 1, H · W)."""
        import torch

        margin = drawn.new_tensor(margins).unsqueeze(1)
        corners = whole_numbers(drawn[..., :2], (2 * margin + 1).unsqueeze(1)) - (margin - max(margins)).unsqueeze(1)
        flips = (drawn[..., 2] < self.column("flip_probability", drawn[..., 2])).unsqueeze(-1)
        rows, columns = (torch.arange(side, dtype=torch.int64, device=drawn.device) for side in (height, width))
        down, right = corners.long().unsqueeze(-1).unbind(2)
        columns = torch.where(flips, width - 1 - columns, columns) + right
        rows = (rows + down) * (width + 2 * max(margins))
        return (rows.unsqueeze(-1) + columns.unsqueeze(-2)).flatten(2).unsqueeze(2)

    def _moved(self, x: Tensor, margin: int, places: Tensor) -> Tensor:
        *_, channels, height, width = x.shape
        padded = x.new_empty(*x.shape[:3], height + 2 * margin, width + 2 * margin)
        padded.copy_(self._black)
        padded[..., margin : margin + height, margin : margin + width] = x
        seen = padded.flatten(3).expand(len(places), -1, -1, -1).gather(3, places.expand(-1, -1, channels, -1))
        return seen.view(*seen.shape[:3], height, width)
