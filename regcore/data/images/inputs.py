"""Images as inputs of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from regcore.data.chosen_media import media_column
from regcore.data.features import ImageFeatures
from regcore.data.images.sizes import SHORTER_SIDE
from regcore.data.media_facts import ImageFacts
from regcore.data.tables.facts import TableFacts
from regcore.data.tables.findings import about_classes
from regcore.doubts import Doubt
from regcore.errors import FieldError
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from regcore.data.encoded import Columns
    from regcore.data.images.preprocessing import ImagePreprocessing

_LARGEST_OWN_SIDE: Final = 64
"""Files of images that are all of one size keep it up to here; larger ones are photos, which networks are given
smaller."""
_LARGEST_SIDE: Final = 1_024
"""As in `ImageFeatures`."""
_FILE_MAXIMUM: Final = 255.0
_MANY_TIMES: Final = 2


@dataclass(frozen=True)
class ImageInputs:
    """A column of images.

    Attributes:
        column: Its name.
        facts: Of it.
        features: The size and the channels that the network gets.
    """

    column: str
    facts: ImageFacts
    features: ImageFeatures

    @property
    def modality(self) -> Literal["image"]:
        """Rows of pixels."""
        return "image"

    @property
    def names(self) -> tuple[str]:
        """Of the column."""
        return (self.column,)

    @property
    def row(self) -> RowInfo:
        """(channels, height, width)."""
        return RowInfo((self.features.channels, *self.features.size))

    def doubts(
        self, table: TableFacts, spec: Any, *, target: str | None, class_counts: Mapping[str, int] | None
    ) -> Sequence[Doubt]:
        """Classes, and sizes that add nothing or lose colours."""
        return [*about_classes(target, class_counts, spec), *self._enlarged()]

    def read(self, columns: Any) -> Columns:
        """The cells as they are: nothing is decoded yet."""
        return {name: columns[name] for name in self.names if name in columns.column_names}

    def fit(self, train: Columns, *, standardize: bool, given: Sequence[str], target: str | None) -> ImagePreprocessing:
        """Mean and variance of each channel, where they are asked for."""
        from regcore.data.images.pixels import ArrayForm
        from regcore.data.images.preprocessing import fit_images

        facts = self.facts
        array = None if facts.shape is None or facts.dtype is None else ArrayForm(facts.shape, facts.dtype)
        return fit_images(
            train[self.column],
            self.row.shape,
            image_maximum=_FILE_MAXIMUM if facts.maximum is None else facts.maximum,
            array=array,
            column=self.column,
            standardize=standardize,
        )

    def _enlarged(self) -> list[Doubt]:
        size, largest = self.features.size, (self.facts.heights[1], self.facts.widths[1])
        if self.facts.shape is None and min(size) > SHORTER_SIDE < min(largest):
            had = f"Images are kept with {SHORTER_SIDE} pixels on the shorter side"
            largest = (SHORTER_SIDE, SHORTER_SIDE)
        elif size[0] >= _MANY_TIMES * largest[0] or size[1] >= _MANY_TIMES * largest[1]:
            had = f"The largest images have {largest[0]:,} by {largest[1]:,} pixels"
        else:
            return []
        better = [min(size[0], largest[0]), min(size[1], largest[1])]
        return [
            Doubt(
                "/data/features/size",
                "images_enlarged",
                f"{had}, and the network gets {size[0]:,} by {size[1]:,}: that takes time and adds nothing.",
                f"Lower it, as to {better}.",
                ({"op": "replace", "path": "/data/features/size", "value": better},),
            )
        ]


def choose_images(table: TableFacts, data: Any, target: str | None, errors: list[FieldError]) -> ImageInputs | None:
    """The set's column of images, in the size that a spec says.

    If it says none, arrays keep their own, and so do files of images that all have one of at most 64 pixels a side;
    else they become 32 by 32. Without any colours they have one channel.
    """
    column = media_column(table, data, "image", errors)
    if column is None or column.image is None:
        return None
    return ImageInputs(column.name, column.image, data.features or _by_facts(column.image))


def _by_facts(facts: ImageFacts) -> ImageFeatures:
    (lowest, height), (narrowest, width) = facts.heights, facts.widths
    is_one_size = (lowest, narrowest) == (height, width)
    largest = _LARGEST_SIDE if facts.shape is not None else _LARGEST_OWN_SIDE
    channels: Literal[1, 3] = 1 if facts.all_grey else 3
    if is_one_size and max(height, width) <= largest:
        return ImageFeatures(size=[height, width], channels=channels)
    return ImageFeatures(channels=channels)
