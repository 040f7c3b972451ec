"""Sounds as inputs of a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from regcore.data.chosen_media import media_column
from regcore.data.features import AudioFeatures
from regcore.data.media_facts import AudioFacts
from regcore.data.sounds.steps import most_steps
from regcore.data.tables.facts import TableFacts
from regcore.data.tables.findings import about_classes
from regcore.doubts import Doubt
from regcore.errors import FieldError
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from regcore.data.encoded import Columns
    from regcore.data.sounds.encode import AudioPreprocessing

AUDIO: Final = "audio"
"""The column of a set of sounds that holds them."""


@dataclass(frozen=True)
class AudioInputs:
    """Sounds as their energy by time and mel band.

    Attributes:
        features: How it is measured.
        facts: Of all sounds.
        column: Which column holds them.
    """

    features: AudioFeatures
    facts: AudioFacts
    column: str = AUDIO

    @property
    def modality(self) -> Literal["audio"]:
        """Sounds."""
        return "audio"

    @property
    def names(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def row(self) -> RowInfo:
        """(steps, bands): as many steps as the longest sound has."""
        return RowInfo((self.num_steps, self.features.num_mels), varies=True)

    @property
    def num_steps(self) -> int:
        """Of the longest sound."""
        return most_steps(self.facts.max_duration_s, self.features)

    def doubts(
        self, table: TableFacts, spec: Any, *, target: str | None, class_counts: Mapping[str, int] | None
    ) -> Sequence[Doubt]:
        """Classes that are unlikely to be meant as they are, sounds that are cut, and bands where nothing can be."""
        return [*about_classes(target, class_counts, spec), *self._cut(), *self._empty_bands()]

    def read(self, columns: Any) -> Columns:
        """The sounds as they are stored."""
        return {self.column: columns[self.column]}

    def fit(self, train: Columns, *, standardize: bool, given: Sequence[str], target: str | None) -> AudioPreprocessing:
        """Mean and standard deviation of each band, over the steps of the train rows."""
        from regcore.data.sounds.encode import fit_sounds

        return fit_sounds(self.features, self.num_steps, self.column, train, standardize=standardize)

    def _cut(self) -> Iterator[Doubt]:
        longest_s = self.features.max_duration_s
        number = sum(count for seconds, count in self.facts.durations_s.items() if seconds - 1 >= longest_s)
        if self.facts.max_duration_s > longest_s:
            told = f"at least {max(number, 1):,}" if longest_s != int(longest_s) else f"{number:,}"
            yield Doubt(
                "/data/features",
                "sounds_cut",
                f"{told} of {sum(self.facts.durations_s.values()):,} sounds are longer than {longest_s:g} s, and are "
                f"cut there; the longest has {self.facts.max_duration_s:,.1f} s.",
                "Raise features.max_duration_s if what is cut off matters.",
            )

    def _empty_bands(self) -> Iterator[Doubt]:
        highest = max(self.facts.sample_rates)
        if highest < self.features.sample_rate:
            yield Doubt(
                "/data/features",
                "sounds_upsampled",
                f"No sound has more than {highest:,} Hz, and features.sample_rate is {self.features.sample_rate:,}: "
                f"the bands above {highest / 2:,.0f} Hz hold nothing.",
                f"Set features.sample_rate to {highest}.",
            )


def choose_sounds(table: TableFacts, data: Any, target: str | None, errors: list[FieldError]) -> AudioInputs | None:
    """The set's sounds, as the spec says; by default at their own rate, up to 16,000 Hz."""
    column = media_column(table, data, "audio", errors)
    if column is None or column.audio is None:
        return None
    features = data.features
    if features is None:
        default = AudioFeatures()
        features = default.model_copy(update={"sample_rate": min(default.sample_rate, max(column.audio.sample_rates))})
    return AudioInputs(features, column.audio, column.name)
