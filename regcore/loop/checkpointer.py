"""When a run is saved: at intervals, as long as that stays cheap, and when it is asked to stop."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from regcore.checkpoint import NUM_KEPT, SavedCheckpoint, State, save_checkpoint, tensor_bytes
from regcore.record import Record

MAX_SHARE: Final = 0.03
"""The largest share of a run's time for checkpoints."""
_ASSUMED_BYTES_PER_S: Final = 200e6
"""Assumed until the first checkpoint has been timed: the speed of a plain disk, hashing included."""


class Checkpointer:
    """Saves one run into a directory.

    Args:
        root: The run's own directory of checkpoints.
        identity: What identifies the run.
        every_s: Least seconds between two; more if they would take over 3 % of the run's time.
        expected_bytes: The estimated size of the first.
        max_bytes: The most that the run's checkpoints may take on disk; None for no limit.
        on_record: Called for each checkpoint, and with a warning for the first that cannot be written.
        accepted_step: Returns the newest step that the caller has accepted: that checkpoint and later ones are kept.
            None to keep only the newest two.
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
        """Whether the run equals an uninterrupted one so far, to the bit."""
        return bool(self._identity["is_exact"])

    def due(self) -> bool:
        """Whether a checkpoint is due."""
        now = time.monotonic()
        affordable = self._spent_s + self._expected_s <= MAX_SHARE * (now - self._started_at)
        return affordable and now - self._last_at >= self._every_s

    def save(self, step: int, epoch: int, state: State) -> None:
        """Write a checkpoint now. If that fails, a warning says why, and the previous one stays valid."""
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
        """Save one member separately, so that it can continue alone. If that fails, a warning says why.

        Args:
            root: The member's own directory of checkpoints.
            on_record: Called with the checkpoint.
            step: Optimizer steps taken.
            epoch: The epoch of this step.
            state: The state of a trainer with this member alone.
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
        """Note that a member was taken out: the others may now differ from an undisturbed run in the last bits."""
        self._identity = self._identity | {"is_exact": False}

    def _too_large(self, state: State) -> str | None:
        # While one is written, the older ones still exist.
        needed_bytes = (NUM_KEPT + 1) * tensor_bytes(state)
        if self._max_bytes is None or needed_bytes <= self._max_bytes:
            return None
        return (
            f"it needs {needed_bytes:,} bytes on disk, and {self._max_bytes:,} are allowed for a job. "
            "Have that limit raised, or use a smaller model"
        )

    def _warn(self, step: int, problem: str | None) -> None:
        """Warn once, and again only after a success in between."""
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
