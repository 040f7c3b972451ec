"""Rows that are sequences: of tokens, or of steps with several numbers; their lengths vary."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from regcore.data.encoded import Encoded
from regcore.errors import InvalidDataError
from regcore.shapes import RowInfo


@dataclass(frozen=True, slots=True)
class SequencePreprocessing:
    """Padding of sequences to one length; their numbers stay as they are.

    Attributes:
        feature_shape: (steps,) of tokens, or (steps, features) of numbers: the most steps that a row may have.
        tokens: Size of the vocabulary, token 0 for padding included; None for numbers.
    """

    feature_shape: tuple[int, ...]
    tokens: int | None = None
    kind: Literal["sequence"] = field(default="sequence", init=False)

    @property
    def is_fitted(self) -> bool:
        """Whether anything depends on the train rows."""
        return False

    @property
    def row(self) -> RowInfo:
        """(steps,) or (steps, features)."""
        return RowInfo(self.feature_shape, self.tokens, varies=True)

    @property
    def layout(self) -> tuple[Any, ...]:
        """Shape and vocabulary."""
        return self.kind, self.feature_shape, self.tokens

    @property
    def scaling(self) -> None:
        """Nothing is scaled."""

    def padded(self, rows: Sequence[Any], dtype: Any) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Rows of one length, with zeros behind the steps that each has.

        Args:
            rows: Each a sequence of tokens, or an array (its steps, features).
            dtype: Of numbers; tokens are int64.

        Returns:
            (N, *feature_shape) and the lengths, (N,).

        Raises:
            InvalidDataError: A row has no step, or too many, or other features; or a token is not in the vocabulary.
        """
        most = self.feature_shape[0]
        x = np.zeros((len(rows), *self.feature_shape), dtype if self.tokens is None else np.int64)
        lengths = np.zeros(len(rows), np.int64)
        for number, row in enumerate(rows):
            steps = np.asarray(row)
            if steps.ndim != len(self.feature_shape) or steps.shape[1:] != self.feature_shape[1:]:
                raise InvalidDataError(
                    f"row {number} must have the shape {_shown(('steps', *self.feature_shape[1:]))}; received "
                    f"{steps.shape}",
                    remedy="Give each row as a sequence of its steps.",
                )
            if not 1 <= len(steps) <= most:
                raise InvalidDataError(
                    f"row {number} must have from 1 to {most} steps; received {len(steps)}",
                    remedy="Cut it, or leave it out.",
                )
            if self.tokens is not None and not np.issubdtype(steps.dtype, np.integer):
                raise _not_integers(steps)
            x[number, : len(steps)], lengths[number] = steps, len(steps)
        check_sequences(x, lengths, self.tokens)
        return x, lengths

    def to_json(self) -> dict[str, Any]:
        """As `preprocessing` in `model.json`."""
        return {"kind": self.kind, "feature_shape": list(self.feature_shape), "tokens": self.tokens}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "SequencePreprocessing":
        """The inverse of `to_json`."""
        return cls(tuple(body["feature_shape"]), body["tokens"])


def apply_to_sequences(preprocessing: SequencePreprocessing, raw_rows: Any, dtype: Any) -> Encoded:
    """Rows of any length that fits, padded."""
    return Encoded(*preprocessing.padded(raw_rows, dtype))


def check_sequences(x: NDArray[Any], lengths: NDArray[np.int64] | None, tokens: int | None) -> None:
    """Check that steps and tokens are those that a network expects: a lookup would read another member's vector.

    Args:
        x: (N, steps, ...).
        lengths: How many steps of each row are in use, (N,); None for all.
        tokens: Size of the vocabulary; None for rows of numbers.

    Raises:
        InvalidDataError: The first row that is wrong.
    """
    if lengths is not None and len(lengths) and not ((lengths >= 1) & (lengths <= x.shape[1])).all():
        number = int(np.flatnonzero((lengths < 1) | (lengths > x.shape[1]))[0])
        raise InvalidDataError(
            f"row {number} must use from 1 to {x.shape[1]} steps; received {lengths[number]}",
            remedy="Leave out rows without steps, and cut longer ones.",
            details={"row": number},
        )
    if tokens is None or not x.size:
        return
    if not np.issubdtype(x.dtype, np.integer):
        raise _not_integers(x)
    is_known = ((x >= 0) & (x < tokens)).reshape(len(x), -1)
    if not is_known.all():
        number = int(np.flatnonzero(~is_known.all(1))[0])
        unknown = int(x[number].reshape(-1)[~is_known[number]][0])
        raise InvalidDataError(
            f"tokens must be from 0 to {tokens - 1}, with 0 for padding; row {number} has {unknown}",
            remedy="Encode rows with the vocabulary that the model was planned for.",
            details={"row": number, "token": unknown},
        )


def _not_integers(x: NDArray[Any]) -> InvalidDataError:
    return InvalidDataError(f"tokens must be integers; received {x.dtype}", remedy="Give each token's number.")


def _shown(shape: Sequence[object]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
