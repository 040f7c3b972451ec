"""Doubts: what a part of a spec reports about itself as unlikely to be meant, given the run."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Beside:
    """A regularizer of a run, as the other parts see it.

    Attributes:
        kind: Its kind.
        touches: Names of the tensors that it acts on.
        shrinks_weights: Whether it makes these smaller.
    """

    kind: str
    touches: tuple[str, ...] = ()
    shrinks_weights: bool = False


@dataclass(frozen=True)
class RunShape:
    """The length of a run, in every unit that parts of a spec use, and what else acts in it.

    Attributes:
        num_epochs: Passes over the train split.
        steps_per_epoch: Optimizer steps in an epoch.
        num_evaluations: Evaluations, the last epoch's included.
        num_validation_rows: Rows of the validation split.
        grad_accumulation: Batches of a step.
        regularizers: All of them, in the spec's order.
        is_random: Whether two passes of a step over the same rows may differ, as with dropout.
        classes: Labels of what is told apart; empty without classes.
    """

    num_epochs: int
    steps_per_epoch: int
    num_evaluations: int
    num_validation_rows: int
    grad_accumulation: int = 1
    regularizers: tuple[Beside, ...] = ()
    is_random: bool = True
    classes: tuple[str, ...] = ()

    @property
    def num_steps(self) -> int:
        """Optimizer steps in the whole run."""
        return self.num_epochs * self.steps_per_epoch


@dataclass(frozen=True)
class Doubt:
    """One thing that is unlikely to be meant.

    Attributes:
        pointer: JSON Pointer (RFC 6901), relative to the part.
        code: Stable word for programs.
        message: What will happen.
        remedy: What to do about it.
        patch: A JSON Patch (RFC 6902) of the resolved spec that does it; empty where there is no single one.
    """

    pointer: str
    code: str
    message: str
    remedy: str
    patch: tuple[dict[str, Any], ...] = ()
