"""When a run is saved: at intervals of time, as long as that stays cheap, and when it is asked to stop."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from regcore.checkpoint import NUM_KEPT, SavedCheckpoint, State, save_checkpoint, tensor_bytes
from regcore.record import Record

MAX_SHARE: Final = 0.03
"""Most of a run's time that its checkpoints may take."""
_ASSUMED_BYTES_PER_S: Final = 200e6
"""Until the first one has been timed: what a plain disk takes, hashing included."""


class Checkpointer:
    """Saves one run into a directory.

    Args:
        root: The run's own directory of checkpoints.
        identity: What the run is known again by.
        every_s: Seconds between two, at least; more where they would take over 3 % of the run's time.
        expected_bytes: About how large the first will be.
        max_bytes: What the run's checkpoints may take on disk together; None for no limit.
        on_record: Hears of each checkpoint, and of the first of those that cannot be written.
        accepted_step: Tells up to which step whoever hears has taken note of them: that one and later ones are kept.
            None where nobody does, and no more than the newest two are needed.
    """

    def __init__(
        self,
        root: Path,
        identity: State,
        *,
        every_s: float,
        expected_bytes: int,
        max_bytes: int | None,
        on_record: Callable[[Record], None],
        accepted_step: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._root = root
        self._identity = identity
        self._every_s = every_s
        self._max_bytes = max_bytes
        self._on_record = on_record
        self._accepted_step = accepted_step
        self._expected_s = expected_bytes / _ASSUMED_BYTES_PER_S
        self._spent_s = 0.0
        self._started_at = self._last_at = time.monotonic()
        self._is_failing = False

    @property
    def is_exact(self) -> bool:
        """Whether the run has been the same, to the bit, as an uninterrupted one so far."""
        return bool(self._identity["is_exact"])

    def due(self) -> bool:
        """Whether it is time for one."""
        now = time.monotonic()
        affordable = self._spent_s + self._expected_s <= MAX_SHARE * (now - self._started_at)
        return affordable and now - self._last_at >= self._every_s

    def save(self, step: int, epoch: int, state: State) -> None:
        """Write one now. Where that fails, a warning says why, and the run goes on with the one before."""
        began_at = time.monotonic()
        problem = self._too_large(state)
        if problem is None:
            try:
                whole = {"identity": self._identity, "trainer": state}
                saved = save_checkpoint(self._root, step, whole, keep_from=self._accepted_step())
            except OSError as error:
                problem = f"{error.strerror or error}. Free some disk space"
            else:
                self._on_record(_checkpoint_record(saved, epoch))
        self._warn(step, problem)
        self._last_at = time.monotonic()
        self._expected_s = self._last_at - began_at
        self._spent_s += self._expected_s

    def save_apart(self, root: Path, on_record: Callable[[Record], None], step: int, epoch: int, state: State) -> None:
        """Save one member for itself, so that it can go on alone. Where that fails, a warning says why.

        Args:
            root: The member's own directory of checkpoints.
            on_record: Hears of it.
            step: Optimizer steps taken.
            epoch: Of this step.
            state: Of a trainer of this member alone.
        """
        specs = {key: self._identity["specs"][key] for key in state["keys"]}
        whole = {"identity": self._identity | {"specs": specs, "is_exact": False}, "trainer": state}
        try:
            saved = save_checkpoint(root, step, whole)
        except OSError as error:
            message = f"The checkpoint of step {step} could not be written: {error.strerror or error}."
            on_record(Record("warning", {"code": "checkpoint_failed", "message": message, "step": step}))
            return
        record = _checkpoint_record(saved, epoch)
        on_record(Record(record.kind, record.body | {"apart": True}))

    def membership_changed(self) -> None:
        """Note that a member was taken out: the others may differ in the last bits from an undisturbed run."""
        self._identity = self._identity | {"is_exact": False}

    def _too_large(self, state: State) -> str | None:
        # While one is written, the ones that are kept are still there.
        needed_bytes = (NUM_KEPT + 1) * tensor_bytes(state)
        if self._max_bytes is None or needed_bytes <= self._max_bytes:
            return None
        return (
            f"it needs {needed_bytes:,} bytes on disk, and {self._max_bytes:,} are allowed for a job. "
            "Have that limit raised, or use a smaller model"
        )

    def _warn(self, step: int, problem: str | None) -> None:
        """Once, and again only after one that succeeded in between."""
        if problem is not None and not self._is_failing:
            body: dict[str, Any] = {
                "code": "checkpoint_failed",
                "message": f"The checkpoint of step {step} could not be written: {problem}. If the run is "
                "interrupted, it goes on from the checkpoint before.",
                "step": step,
            }
            self._on_record(Record("warning", body))
        self._is_failing = problem is not None


def _checkpoint_record(saved: SavedCheckpoint, epoch: int) -> Record:
    body = {"step": saved.step, "epoch": epoch, "name": saved.path.name, "size_bytes": saved.size_bytes}
    return Record("checkpoint", body)
