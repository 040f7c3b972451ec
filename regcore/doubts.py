"""What a part of a spec says of itself that deserves a second look, given the run that it is part of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RunShape:
    """How long a run is, in all the units that a part may be given in.

    Attributes:
        num_epochs: Passes over the train split.
        steps_per_epoch: Optimizer steps in an epoch.
        num_evaluations: Evaluations, the last epoch's included.
        num_validation_rows: Rows that an evaluation's validation metrics are of.
    """

    num_epochs: int
    steps_per_epoch: int
    num_evaluations: int
    num_validation_rows: int

    @property
    def num_steps(self) -> int:
        """Optimizer steps in the whole run."""
        return self.num_epochs * self.steps_per_epoch


@dataclass(frozen=True)
class Doubt:
    """One thing that deserves a second look.

    Attributes:
        pointer: JSON Pointer (RFC 6901) from the part that says it.
        code: Stable word for programs.
        message: What will happen.
        remedy: What to do about it.
    """

    pointer: str
    code: str
    message: str
    remedy: str
