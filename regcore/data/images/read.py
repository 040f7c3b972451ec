"""The files of a set of images: each is decoded once, and all that are damaged are named."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import pyarrow as pa

from regcore.data.files.entry import Entry, MediaColumn
from regcore.data.images.keep import Kept, keep
from regcore.data.images.sizes import LONGER_SIDE, SHORTER_SIDE
from regcore.data.images.threads import each
from regcore.data.media_facts import ImageFacts
from regcore.data.tables.facts import TableWarning
from regcore.errors import InvalidDataError, shortened

_NUM_NAMED: Final = 3
_NUM_AT_ONCE: Final = 512


def read_images(entries: Sequence[Entry], on_progress: Callable[[float], None]) -> MediaColumn:
    """The images of these files, each as `keep` makes it.

    Raises:
        InvalidDataError: Some are no images, damaged or too large; the first are named, and all are counted.
    """
    collected = Collected()
    failures: list[InvalidDataError] = []
    for begin in range(0, len(entries), _NUM_AT_ONCE):
        some = each(_read, entries[begin : begin + _NUM_AT_ONCE])
        collected.add([one for one in some if isinstance(one, Kept)])
        failures += [one for one in some if isinstance(one, InvalidDataError)]
        on_progress((begin + len(some)) / len(entries))
    if failures:
        raise _unreadable(failures, len(entries))
    return collected.column()


def _read(entry: Entry) -> Kept | InvalidDataError:
    """An error is handed on, so that all files with errors are counted."""
    try:
        return keep(entry.read())
    except InvalidDataError as error:
        # The archive's own errors begin with the path.
        message = error.message if error.message.startswith(entry.path) else f"{entry.path} {error.message}"
        return InvalidDataError(message, remedy=error.remedy, details={**error.details, "file": entry.path})


def _unreadable(failures: Sequence[InvalidDataError], num_files: int) -> InvalidDataError:
    first = failures[0]
    if len(failures) == 1:
        return InvalidDataError(f"{first.message.rstrip('.')}.", remedy=first.remedy, details=first.details)
    named = "; ".join(shortened(one.message.rstrip("."), 200) for one in failures[:_NUM_NAMED])
    more = "; ..." if len(failures) > _NUM_NAMED else ""
    return InvalidDataError(
        f"{len(failures):,} of {num_files:,} images cannot be read: {named}{more}.",
        remedy=first.remedy,
        details={**first.details, "num_files": len(failures)},
    )


class Collected:
    """Images, and what they are, counted one after the other."""

    def __init__(self) -> None:
        self._chunks: list[pa.Array] = []
        self._sizes: Counter[tuple[int, int]] = Counter()
        self._notes: Counter[str] = Counter()
        self._num_grey = 0
        self._num_smaller = 0

    def add(self, images: Sequence[Kept]) -> None:
        """Some more, in their order."""
        self._chunks.append(pa.array([one.cell for one in images], pa.large_binary()))
        for one in images:
            self._sizes[one.size] += 1
            self._notes.update(one.notes)
            self._num_grey += one.is_grey
            self._num_smaller += one.is_smaller

    def column(self) -> MediaColumn:
        """All of them."""
        return MediaColumn(pa.chunked_array(self._chunks, pa.large_binary()), self._facts(), self._warnings())

    def _facts(self) -> ImageFacts:
        widths, heights = zip(*self._sizes, strict=True)
        return ImageFacts(
            heights=(min(heights), max(heights)),
            widths=(min(widths), max(widths)),
            all_grey=self._num_grey == self._sizes.total(),
        )

    def _warnings(self) -> list[TableWarning]:
        """What was brought to one, with the number of images each."""
        warnings = []
        if self._notes:
            counted = ", ".join(f"{count:,} {note}" for note, count in self._notes.most_common())
            warnings.append(
                TableWarning(
                    code="images_converted",
                    message=f"Of {self._sizes.total():,} images {counted}.",
                    remedy="Save them otherwise if that is not how they are meant.",
                )
            )
        if 0 < self._num_grey < self._sizes.total():
            warnings.append(
                TableWarning(
                    code="images_grey_and_coloured",
                    message=f"{self._num_grey:,} of {self._sizes.total():,} images are grey, and the others have "
                    "colours.",
                    remedy="All get the channels that data.features.channels says. If it is the classes that differ "
                    "so, a network will learn that: choose 1.",
                )
            )
        if len(self._sizes) > 1:
            warnings.append(self._of_sizes())
        if self._num_smaller:
            warnings.append(
                TableWarning(
                    code="images_kept_smaller",
                    message=f"{self._num_smaller:,} images are kept with {SHORTER_SIDE} pixels on the shorter side, "
                    f"and {LONGER_SIDE:,} at most on the longer.",
                    remedy="Nothing is lost to a network whose data.features.size is no larger.",
                )
            )
        return warnings

    def _of_sizes(self) -> TableWarning:
        facts, ((width, height), count) = self._facts(), self._sizes.most_common(1)[0]
        (lowest, highest), (narrowest, widest) = facts.heights, facts.widths
        return TableWarning(
            code="images_of_many_sizes",
            message=f"The images have {len(self._sizes):,} sizes, {lowest:,} to {highest:,} pixels high and "
            f"{narrowest:,} to {widest:,} wide; {count:,} are {height:,} by {width:,}.",
            remedy="All are brought to data.features.size, whatever their proportions were. Cut them to equal "
            "proportions first if that matters.",
        )
