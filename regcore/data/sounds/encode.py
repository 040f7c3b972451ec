"""From stored sounds to the rows of a network: log-mel spectrograms, scaled band by band."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from regcore.data.encoded import Columns, Encoded
from regcore.data.features import AudioFeatures
from regcore.data.sounds.log_mel import LogMel
from regcore.own_state import own_state
from regcore.shapes import RowInfo

ONE_THREAD: Final = 1
"""To divide so short a transform takes longer than to compute it."""


@dataclass(frozen=True)
class AudioPreprocessing:
    """The energy of each sound by step and band; behind its last step zeros, which `lengths` leaves out.

    Attributes:
        features: How it is measured.
        num_steps: The most steps of a row; longer sounds are cut.
        column: Where a set holds the sounds.
        mean: Of each band over the steps of the train rows; None if not standardized.
        std: Their standard deviation, population form; 1 for a constant band.
    """

    features: AudioFeatures
    num_steps: int
    column: str = "audio"
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    kind: Literal["audio"] = field(default="audio", init=False)

    @property
    def is_fitted(self) -> bool:
        """Whether anything depends on the train rows."""
        return self.mean is not None

    @property
    def row(self) -> RowInfo:
        """(steps, bands)."""
        return RowInfo((self.num_steps, self.features.num_mels), varies=True)

    @property
    def layout(self) -> tuple[Any, ...]:
        """What the steps and bands are."""
        return self.kind, self.features, self.num_steps

    @property
    def scaling(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Those of its band for each number."""
        bands = self.features.num_mels
        mean, std = self.mean or (0.0,) * bands, self.std or (1.0,) * bands
        return np.tile(np.array(mean, np.float64), self.num_steps), np.tile(np.array(std, np.float64), self.num_steps)

    @own_state(ONE_THREAD)
    def encode(self, columns: Columns, dtype: Any) -> Encoded:
        """Spectrograms, (N, steps, bands), and the steps of each, (N,)."""
        cells = columns[self.column]
        x = np.zeros((len(cells), self.num_steps, self.features.num_mels), dtype)
        lengths = np.zeros(len(cells), np.int64)
        mean, std = np.array(self.mean or 0.0, np.float64), np.array(self.std or 1.0, np.float64)
        too_long = []
        for number, logs in enumerate(_spectrograms(self.features, cells)):
            if len(logs) > self.num_steps:
                too_long.append(number)
            kept = logs[: self.num_steps]
            x[number, : len(kept)], lengths[number] = (kept - mean) / std, len(kept)
        return Encoded(x, lengths, self._notes(too_long))

    def to_json(self) -> dict[str, Any]:
        """As `preprocessing` in `model.json`."""
        return {
            "kind": self.kind,
            "features": self.features.model_dump(mode="json"),
            "num_steps": self.num_steps,
            "column": self.column,
            "mean": None if self.mean is None else list(self.mean),
            "std": None if self.std is None else list(self.std),
        }

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "AudioPreprocessing":
        """The inverse of `to_json`."""
        mean, std = body["mean"], body["std"]
        return cls(
            AudioFeatures.model_validate(body["features"]),
            body["num_steps"],
            body["column"],
            None if mean is None else tuple(mean),
            None if std is None else tuple(std),
        )

    def _notes(self, too_long: list[int]) -> list[str]:
        if not too_long:
            return []
        which = (
            f"row {too_long[0] + 1:,} is"
            if len(too_long) == 1
            else (f"{len(too_long):,} rows (from row {too_long[0] + 1:,} on) are")
        )
        return [f"{which} longer than the longest sound of training, and cut to its {self.num_steps:,} steps."]


@own_state(ONE_THREAD)
def fit_sounds(
    features: AudioFeatures, num_steps: int, column: str, train: Columns, *, standardize: bool
) -> AudioPreprocessing:
    """Fit on the train rows alone.

    Args:
        features: How energy is measured.
        num_steps: The most steps of a row.
        column: Where a set holds the sounds.
        train: The train rows of that column.
        standardize: Whether each band is scaled to mean 0 and variance 1.
    """
    if not standardize:
        return AudioPreprocessing(features, num_steps, column)
    scaling = _Scaling(features.num_mels)
    for logs in _spectrograms(features, train[column]):
        scaling.add(logs[:num_steps])
    return AudioPreprocessing(features, num_steps, column, tuple(scaling.mean.tolist()), tuple(scaling.std.tolist()))


class _Scaling:
    """Mean and standard deviation of each band over steps that come sound by sound, so that one is in memory at a time.

    Source: Chan, Golub & LeVeque 1979, Updating formulae and a pairwise algorithm for computing sample variances.
    """

    def __init__(self, num_bands: int) -> None:
        self.mean = np.zeros(num_bands)
        self._squares = np.zeros(num_bands)
        self._least, self._largest = np.full(num_bands, np.inf), np.full(num_bands, -np.inf)
        self._num_steps = 0

    def add(self, logs: NDArray[np.float64]) -> None:
        """The steps of one sound, (steps, bands)."""
        own = logs.mean(axis=0)
        change, total = own - self.mean, self._num_steps + len(logs)
        self.mean = self.mean + change * (len(logs) / total)
        self._squares += ((logs - own) ** 2).sum(axis=0) + change**2 * (self._num_steps * len(logs) / total)
        self._least = np.minimum(self._least, logs.min(axis=0))
        self._largest = np.maximum(self._largest, logs.max(axis=0))
        self._num_steps = total

    @property
    def std(self) -> NDArray[np.float64]:
        """1 for a band that is the same in every step."""
        return np.where(self._least == self._largest, 1.0, np.sqrt(self._squares / self._num_steps))


def _spectrograms(features: AudioFeatures, cells: Any) -> Iterator[NDArray[np.float64]]:
    log_mel = LogMel(features)
    return (log_mel.of_stored(cell.as_py()) for cell in cells)
