"""The questions that a run asks its caller between two steps. The answers here let it run to its end."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Rungs:
    """Where a member must be good enough to continue.

    Attributes:
        epochs: The member is judged after these numbers of epochs.
        metric: The metric that decides, e.g. `validation/loss`.
    """

    epochs: frozenset[int] = field(default_factory=frozenset)
    metric: str = "validation/loss"


class Control:
    """The caller of a training pass. Members are named by their keys."""

    def should_stop(self) -> bool:
        """Whether the whole pass is to save itself and end. An exception ends the pass without saving."""
        return False

    def leaving(self) -> Mapping[str, Path | None]:
        """The members that are to leave now, and where to save each first; None to leave unsaved."""
        return {}

    def accepted_step(self) -> int | None:
        """The newest step whose checkpoint the caller has accepted; None if the caller does not track them."""
        return None

    def rungs(self, key: str) -> Rungs:
        """The rungs of this member."""
        return Rungs()

    def judge(self, epoch: int, values: Mapping[str, float]) -> Collection[str]:
        """The members that stop at this rung, given the metric of each that has reached it."""
        return ()
