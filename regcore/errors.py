"""The errors that regcore raises on purpose.

RegCoreError
├── SpecError            the job spec is wrong: one FieldError for each place
└── TrainingError        the run cannot go on; carries the job's `state_reason`
    ├── DivergedError        the loss is no longer finite
    ├── InvalidDataError     the data cannot be read or do not fit the task
    ├── OutOfMemoryError     host or device memory is exhausted
    ├── ComputationError     a computation failed in a way that nobody foresaw
    ├── CheckpointError      the checkpoint to resume from is another run's
    └── TrainingStopped      somebody asked it to stop
        └── TrainingHalved       others of its sweep were better
"""

from dataclasses import dataclass
from typing import Any, ClassVar


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


class SpecError(RegCoreError, ValueError):
    """A job spec that cannot be trained, with every place that is wrong."""

    def __init__(self, errors: list[FieldError]) -> None:
        self.errors = errors
        super().__init__("\n".join(f"{error.pointer or '/'}: {error.message}" for error in errors))


class TrainingError(RegCoreError):
    """A run that cannot go on.

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
