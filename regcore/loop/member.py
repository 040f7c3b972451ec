"""A member of a training pass, while it trains and as it ends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from regcore.errors import TrainingError
from regcore.loop.network import StackedNetwork
from regcore.plan import Plan
from regcore.record import Record
from regcore.spec.kinds import METRICS


@dataclass
class Member:
    """One of the K members: its place in the stack is its place in the trainer's list.

    Attributes:
        key: Its name for the caller of the pass.
        plan: What it trains.
        on_record: Called with its progress and metrics.
        history: Its evaluations, as bodies of `metrics` records.
        selected_epoch: The epoch whose weights it keeps; 0 before any was selected.
    """

    key: str
    plan: Plan
    on_record: Callable[[Record], None]
    history: list[dict[str, Any]] = field(default_factory=list)
    selected_epoch: int = 0

    @property
    def watched(self) -> frozenset[str]:
        """The metrics that its own spec asks for in every evaluation."""
        return frozenset(one.watches for one in self.plan.resolved_spec.regularizers if one.watches)

    def recorded(self, measured: Mapping[str, float]) -> dict[str, float]:
        """What its record holds of an evaluation: not what only a rung asks for."""
        return {name: value for name, value in measured.items() if name in self.watched or _is_recorded(name)}


@dataclass(frozen=True, eq=False)
class EndedMembers:
    """Members that end together, and leave the stack.

    Attributes:
        members: In the order of the network's stack.
        network: A network of these members only, with the selected weights; None if there is no result.
        error: Why there is no result.
    """

    members: list[Member]
    network: StackedNetwork | None = None
    error: TrainingError | None = None


def _is_recorded(name: str) -> bool:
    metric = METRICS.get(name.rpartition("/")[2])
    return metric is None or metric.in_every_record
