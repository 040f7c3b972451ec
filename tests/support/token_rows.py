"""Rows of tokens, made from a seed: a source for runs on sequences, until files of text can be read."""

from typing import Any

import numpy as np
import torch

from regcore.data.facts import DataFacts
from regcore.data.prepared import PreparedData, RunSpec, Split, dtype_of
from regcore.data.sequences import SequencePreprocessing
from regcore.data.split import SplitSizes

NUM_TOKENS = 12
NUM_STEPS = 7
SIZES = SplitSizes(train=60, validation=20, test=20)
MARK = 2
"""The token that decides: the class of a row is whether it holds it."""


def rows_of(seed: int = 0) -> tuple[list[list[int]], np.ndarray]:
    """Rows of 1 to `NUM_STEPS` tokens, and whether each holds `MARK`."""
    draws = np.random.default_rng(seed)
    num_rows = SIZES.train + SIZES.validation + SIZES.test
    rows = [draws.integers(1, NUM_TOKENS, length).tolist() for length in draws.integers(1, NUM_STEPS + 1, num_rows)]
    return rows, np.array([int(MARK in row) for row in rows])


class TokenRows:
    """A source of such rows, whatever the spec's `data` names.

    Args:
        seed: Of the rows.
    """

    def __init__(self, seed: int = 0) -> None:
        self.rows, self.y = rows_of(seed)
        self.preprocessing = SequencePreprocessing((NUM_STEPS,), NUM_TOKENS)

    def facts(self, spec: Any, /) -> DataFacts:
        return DataFacts(
            name="token rows",
            modality="sequence",
            feature_shape=(NUM_STEPS,),
            classes=("without", "with"),
            num_rows=len(self.rows),
            row_counts=SIZES,
            tokens=NUM_TOKENS,
            varies=True,
        )

    def prepare(self, spec: RunSpec, *, device: torch.device | str = "cpu") -> PreparedData:
        x, lengths = self.preprocessing.padded(self.rows, torch.zeros((), dtype=dtype_of(spec)).numpy().dtype)
        ends = np.cumsum([SIZES.train, SIZES.validation, SIZES.test])

        def split(places: np.ndarray) -> Split:
            parts = (torch.from_numpy(part[places]).to(device) for part in (x, self.y, lengths))
            rows, targets, own_lengths = parts
            return Split(rows, targets, places, own_lengths, NUM_TOKENS)

        train, validation, test = (split(places) for places in np.split(np.arange(ends[-1]), ends[:-1]))
        return PreparedData(train, validation, test, self.preprocessing, ("without", "with"))
