"""What a run asks between two steps, of whoever started it. The answers given here let it run to its end."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Rungs:
    """Where a member must be good enough to go on.

    Attributes:
        epochs: After these many epochs it is judged.
        metric: By this metric, e.g. `validation/loss`.
    """

    epochs: frozenset[int] = field(default_factory=frozenset)
    metric: str = "validation/loss"


class Control:
    """The surroundings of a training pass. Members are named by their keys."""

    def should_stop(self) -> bool:
        """Whether the whole pass is to save itself and end. What it raises ends the pass without saving."""
        return False

    def leaving(self) -> Mapping[str, Path | None]:
        """The members that are to leave now, and where each is to be saved before; None to drop it unsaved."""
        return {}

    def accepted_step(self) -> int | None:
        """Where somebody else keeps book of the checkpoints: up to which step that has been done."""
        return None

    def rungs(self, key: str) -> Rungs:
        """Where this member is judged."""
        return Rungs()

    def judge(self, epoch: int, values: Mapping[str, float]) -> Collection[str]:
        """The members that do not go on from this rung, given the metric of each that has reached it."""
        return ()
