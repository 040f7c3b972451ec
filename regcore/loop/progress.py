"""How far a pass has come, told not too often."""

import time
from typing import Final

from regcore.plan import Plan
from regcore.record import Record

_EVERY_S: Final = 0.5


class Progress:
    """The clock of a pass.

    Args:
        plan: That of one of its members: all take the same steps.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._started_at = self._told_at = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Since it began, what it had trained before an interruption included."""
        return time.monotonic() - self._started_at

    def go_on(self, elapsed_s: float) -> None:
        """Count what was trained before an interruption."""
        self._started_at -= elapsed_s

    def is_due(self, step: int) -> bool:
        """Whether to tell it after this many steps: the first and the last always, those between every so often."""
        is_between = 1 < step < self._plan.num_steps
        return not is_between or time.monotonic() - self._told_at >= _EVERY_S

    def told(self) -> None:
        """Remember that it is told now."""
        self._told_at = time.monotonic()

    def record(self, step: int) -> Record:
        """After this many steps."""
        num_steps = self._plan.num_steps
        fraction = step / num_steps
        body = {
            "epoch": step // self._plan.steps_per_epoch,
            "num_epochs": self._plan.num_epochs,
            "step": step,
            "num_steps": num_steps,
            "fraction": fraction,
            "eta_s": round(self.elapsed_s * (1 - fraction) / fraction, 3) if step else None,
        }
        return Record("progress", body)
