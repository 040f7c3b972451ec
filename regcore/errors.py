"""The errors that regcore raises on purpose.

RegCoreError
├── JsonSyntaxError      a text is not JSON
├── SpecError            the job spec is wrong: one FieldError for each place
│   └── JsonValueError       JSON holds values that could not be kept
└── TrainingError        the run ends without a result; carries the job's `state_reason`
    ├── DivergedError        the loss is no longer finite
    ├── InvalidDataError     the data cannot be read or do not fit the task
    ├── OutOfMemoryError     host or device memory is exhausted
    ├── ComputationError     a computation failed unexpectedly
    ├── CheckpointError      the checkpoint to resume from is another run's
    └── TrainingStopped      somebody asked it to stop
        └── TrainingHalved       others of its sweep were better
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

MAX_ERRORS: Final = 100
"""The most wrong places that an error lists; it gives the number of the rest."""

_MAX_POINTER_CHARACTERS: Final = 500
_MAX_NAME_CHARACTERS: Final = 80
_MAX_MESSAGE_CHARACTERS: Final = 1_000


@dataclass(frozen=True)
class FieldError:
    """One wrong place in a spec.

    Attributes:
        pointer: JSON Pointer (RFC 6901) into the body that was sent.
        code: Stable word for programs, e.g. `unknown_field`.
        message: What was expected, what came, and what to do.
    """

    pointer: str
    code: str
    message: str


class RegCoreError(Exception):
    """Base of the tree."""


class JsonSyntaxError(RegCoreError, ValueError):
    """A text that is not JSON, or repeats a name within an object.

    Args:
        message: What is wrong, and where; without a full stop.
        pointer: The object that it is in, as far as that is known.
    """

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


class SpecError(RegCoreError, ValueError):
    """A job spec that cannot be trained, with every wrong place; of very many the first `MAX_ERRORS`.

    Args:
        errors: The wrong places.
        num_left_off: How many more there are.
    """

    def __init__(self, errors: Sequence[FieldError], num_left_off: int = 0) -> None:
        self.errors = [_bounded(error) for error in errors[:MAX_ERRORS]]
        self.num_left_off = num_left_off + len(errors) - len(self.errors)
        lines = [f"{short_pointer(error.pointer) or '/'}: {error.message}" for error in self.errors]
        super().__init__("\n".join([*lines, *([f"And {self.num_left_off:,} more."] if self.num_left_off else [])]))

    def with_more(self, errors: Iterable[FieldError]) -> "SpecError":
        """The same error with these added."""
        return SpecError([*self.errors, *errors], self.num_left_off)

    def moved(self, move: Callable[[FieldError], FieldError]) -> "SpecError":
        """The same error of a part of a body, as an error of the whole body."""
        return SpecError([move(one) for one in self.errors], self.num_left_off)


class JsonValueError(SpecError):
    """JSON with values that an answer or a database cannot hold."""


def json_pointer(path: Iterable[str | int]) -> str:
    """RFC 6901: `/regularizers/0/strength`."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def short_pointer(pointer: str) -> str:
    """The pointer as answers show it: if a name in it is very long, that of the place around."""
    while len(pointer) > _MAX_POINTER_CHARACTERS:
        pointer = pointer.rpartition("/")[0]
    return pointer


def _bounded(error: FieldError) -> FieldError:
    """The error, its message cut off where it is very long: it may hold what a user wrote."""
    return replace(error, message=shortened(error.message, _MAX_MESSAGE_CHARACTERS))


def in_words(path: Iterable[str | int], nowhere: str = "the body") -> str:
    """A place as messages name it: `regularizers.0.strength`; an empty name in quotes, long ones cut off."""
    parts = [str(part) or '""' for part in path]
    return ".".join(shortened(part, _MAX_NAME_CHARACTERS) for part in parts) or nowhere


def shortened(text: str, max_characters: int) -> str:
    """The text, cut off where it is long."""
    return text if len(text) <= max_characters else text[: max_characters - 3] + "..."


class TrainingError(RegCoreError):
    """A run that ends without a result.

    Args:
        message: What happened, in one sentence.
        remedy: What the user can do about it.
        details: Numbers for programs.
    """

    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, remedy: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = details or {}

    def reason(self) -> dict[str, Any]:
        """The job's `state_reason`."""
        return {
            "code": self.code,
            "message": self.message,
            "remedy": self.remedy,
            "retryable": self.retryable,
            "details": self.details,
        }


class DivergedError(TrainingError):
    """The training loss became NaN or infinite."""

    code = "diverged"


class InvalidDataError(TrainingError):
    """The data cannot be read, or do not fit the task."""

    code = "invalid_data"


class OutOfMemoryError(TrainingError):
    """Host or device memory is exhausted."""

    code = "out_of_memory"
    retryable = True


class ComputationError(TrainingError):
    """A computation failed unexpectedly: a bug of ours, or numbers beyond what a type can hold."""


class CheckpointError(TrainingError):
    """The checkpoint to resume from is of another spec, or of other data."""


class TrainingStopped(TrainingError):
    """Somebody asked it to stop; nothing is wrong."""

    code = "cancelled_by_user"


class TrainingHalved(TrainingStopped):
    """Successive halving stopped it: others of its sweep were better at the same epoch."""

    code = "halved"
