"""What is said of texts that are empty, unknown, or too long."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regcore.doubts import Doubt


@dataclass(frozen=True, eq=False)
class OddRows:
    """Which of some texts are odd.

    Attributes:
        is_empty: Those without any word, (N,).
        is_unknown: Those with words, none of which training knows, (N,).
        is_cut: Those with more tokens than there is room for, (N,).
        max_tokens: The room.
    """

    is_empty: NDArray[np.bool_]
    is_unknown: NDArray[np.bool_]
    is_cut: NDArray[np.bool_]
    max_tokens: int

    def notes(self) -> list[str]:
        """For who asks a trained network, in whole sentences."""
        return [f"{_rows(chosen)} {said}." for _, chosen, said, _ in self._found()]

    def doubts(self) -> list[Doubt]:
        """For who trains one: the message goes on after the name of a split."""
        return [
            Doubt("/data/features", code, f"{int(chosen.sum()):,} of {len(chosen):,} texts: each {said}.", remedy)
            for code, chosen, said, remedy in self._found()
        ]

    def _found(self) -> list[tuple[str, Any, str, str]]:
        kinds = [
            ("texts_empty", self.is_empty, "has no word, and is read as one unknown token", "Leave such rows out."),
            (
                "texts_unknown",
                self.is_unknown,
                "has no word that the train rows have, so that nothing tells it from others",
                "Train on more texts, or on pieces of words (features.tokenizer bpe).",
            ),
            (
                "texts_cut",
                self.is_cut,
                f"is longer than {self.max_tokens:,} tokens, and is cut there",
                "Raise features.max_tokens if what is cut off matters.",
            ),
        ]
        return [kind for kind in kinds if kind[1].any()]


def _rows(chosen: NDArray[np.bool_]) -> str:
    places = np.flatnonzero(chosen)
    if len(places) == 1:
        return f"Row {places[0] + 1:,}"
    return f"Each of {len(places):,} rows (the first is row {places[0] + 1:,})"
