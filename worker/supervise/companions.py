"""Choosing companions: queued jobs that can train in one pass with the job that was claimed."""

import time
from pathlib import Path

from jobs.logs import get_logger
from jobs.model import Capabilities, ClaimedRun, Job
from worker.devices import Slot
from worker.protocol import Capacity, Measure
from worker.supervise.lease import Lease
from worker.supervise.process import TICK_S, WARM_UP_TIMEOUT_S, RunnerProcess
from worker.surroundings import Surroundings

_log = get_logger(__name__)


class Companions:
    """Gathers them for one run.

    Args:
        surroundings: The worker's.
        capabilities: The worker's.
        slot: Where the run is.
        runner: Measures how many members are worth while.
        lease: The run's.
    """

    def __init__(
        self, surroundings: Surroundings, capabilities: Capabilities, slot: Slot, runner: RunnerProcess, lease: Lease
    ) -> None:
        self._around = surroundings
        self._settings = surroundings.settings
        self._capabilities = capabilities
        self._slot = slot
        self._runner = runner
        self._lease = lease

    def gather(self, run: ClaimedRun, table: Path | None = None) -> ClaimedRun:
        """Claim as many queued jobs for the run's pass as are worth while; return the run with them.

        Args:
            run: The run, as it was claimed.
            table: The uploaded table that its job trains on, if it does.
        """
        store = self._around.store
        (lead, *others) = run.jobs
        if others or self._settings.max_fused == 1:
            return run
        if not self._lease.insist(lambda: store.has_companions(lead.id)):
            return run
        capacity = self._find_capacity(lead, table)
        limit = min(capacity.num_members, self._settings.max_fused) - 1
        if limit < 1:
            return run
        joined = self._lease.insist(
            lambda: store.join(run.run_id, lead.id, self._capabilities, limit, capacity.max_bytes)
        )
        _log.info("companions joined", num_jobs=len(joined.jobs), group_id=joined.group_id)
        return joined

    def _find_capacity(self, lead: Job, table: Path | None) -> Capacity:
        """Ask the runner, which times a few steps unless it has done so before, and knows how much memory is free."""
        self._runner.send(
            Measure(
                spec=lead.resolved_spec,
                num_members=self._settings.max_fused,
                data_dir=str(self._settings.data_sets_dir),
                table=None if table is None else str(table),
                device=self._slot.device,
                num_threads=self._around.num_threads,
                lease_until=self._lease.until,
            )
        )
        return self._wait_for_capacity() or Capacity(1, 0)  # the run itself will report what is wrong with the runner

    def _wait_for_capacity(self) -> Capacity | None:
        asked_at = time.monotonic()
        while not self._runner.drained() and not self._around.draining.is_set():
            for event in self._runner.receive(TICK_S):
                if isinstance(event, Capacity):
                    return event
            self._lease.renew_if_due()
            if time.monotonic() - asked_at > WARM_UP_TIMEOUT_S:
                self._runner.kill()
        return None
