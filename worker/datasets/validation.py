"""Reading uploaded data sets, beside the jobs: claim one, watch over the child that reads it, store what it found."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from jobs.errors import ArtifactDamagedError, StoreUnavailableError
from jobs.logs import get_logger
from jobs.model import ArtifactRow, ClaimedDataset, ParsedTable
from jobs.store import Store
from regcore.data.tables.limits import Limits
from worker.datasets.confinement import Confinement
from worker.datasets.process import PROGRAM, Died, Parsed, ParserProcess, Refused
from worker.datasets.reasons import damaged, failed, killed, too_slow
from worker.devices import available_cores
from worker.environment import parser_environment
from worker.retrying import insist
from worker.surroundings import Surroundings

_TICK_S = 0.1
_MAX_THREADS = 4
_SCRATCH = "parsing"
_log = get_logger(__name__)


class _ClaimLostError(Exception):
    """The data set belongs to another worker, or was deleted: nothing more is written about it."""


class Validator:
    """Reads the data sets that wait, one after the other.

    Args:
        worker_id: This worker.
        surroundings: The worker's.
        temporary_dir: The worker's; after a kill, others delete it.
        program: What reads a file.
    """

    def __init__(
        self, worker_id: str, surroundings: Surroundings, temporary_dir: Path, program: Sequence[str] = PROGRAM
    ) -> None:
        self._worker_id = worker_id
        self._around = surroundings
        self._store = surroundings.store
        self._folder = temporary_dir / _SCRATCH
        self._program = program
        settings = surroundings.settings
        num_threads = min(available_cores(), _MAX_THREADS)
        self._environment = parser_environment(os.environ, num_threads)
        self._confinement = Confinement(
            memory_bytes=settings.parser_memory_bytes,
            cpu_s=max(1, int(settings.parser_timeout_s * num_threads)),
            file_bytes=Limits().max_unpacked_bytes,
        )

    def read_waiting(self) -> None:
        """Read every data set that waits, until there is none or the worker shuts down."""
        while not self._around.draining.is_set():
            claimed_at = time.monotonic()
            claim = self._store.claim_dataset(self._worker_id)
            if claim is None:
                return
            _log.info("claimed a data set", dataset_id=claim.id, attempt=claim.attempt, size_bytes=claim.size_bytes)
            lease = _ClaimLease(self._store, claim, self._around.settings.lease_s, claimed_at)
            try:
                self._read(claim, lease)
            except (_ClaimLostError, StoreUnavailableError) as error:
                _log.warning("the data set is no longer ours", dataset_id=claim.id, why=str(error))
            except Exception as error:
                # The disk is full, no process can be started, or a bug of ours: another worker may be luckier.
                _log.exception("reading a data set failed", dataset_id=claim.id)
                self._store.lose_dataset(claim, failed(error))

    def _read(self, claim: ClaimedDataset, lease: "_ClaimLease") -> None:
        try:
            raw = self._around.artifacts.find(ArtifactRow(claim.name or claim.id, claim.size_bytes, claim.sha256, ""))
        except ArtifactDamagedError as error:
            self._settle(claim, lease, Refused(damaged(error.how)))
            return
        child = ParserProcess(
            self._folder / claim.id,
            raw,
            claim.name or claim.id,
            format=None if claim.format == "auto" else claim.format,
            header=claim.header,
            confinement=self._confinement,
            environment=self._environment,
            program=self._program,
        )
        try:
            end = self._watch(child, lease)
            self._settle(claim, lease, end)
        finally:
            child.close()

    def _watch(self, child: ParserProcess, lease: "_ClaimLease") -> Parsed | Refused | Died | None:
        """Wait for the child's answer; None if the worker shuts down before."""
        kill_at = time.monotonic() + self._around.settings.parser_timeout_s
        while not child.wait(_TICK_S):
            lease.renew_if_due()
            if self._around.draining.is_set():
                return None
            if time.monotonic() >= kill_at:
                return Refused(too_slow(self._around.settings.parser_timeout_s))
        return child.answer()

    def _settle(self, claim: ClaimedDataset, lease: "_ClaimLease", end: Parsed | Refused | Died | None) -> None:
        """Store how a reading ended."""
        store = self._store
        match end:
            case None:
                _log.info("giving the data set back", dataset_id=claim.id)
                lease.insist(lambda: store.return_dataset(claim))
            case Refused(reason):
                _log.info("the data set is invalid", dataset_id=claim.id, code=reason["code"])
                lease.insist(lambda: store.reject_dataset(claim, reason))
            case Died(returncode, tail):
                _log.warning("the reader has died", dataset_id=claim.id, returncode=returncode, output=tail)
                lease.insist(lambda: store.lose_dataset(claim, killed(end)))
            case Parsed():
                table = self._kept(end, lease)
                lease.insist(lambda: store.finish_dataset(claim, table))
                _log.info("the data set is ready", dataset_id=claim.id, num_rows=table.num_rows)

    def _kept(self, parsed: Parsed, lease: "_ClaimLease") -> ParsedTable:
        sha256, size_bytes = self._around.artifacts.put(parsed.table, lease.renew_if_due)
        return ParsedTable(
            facts=parsed.facts,
            preview=parsed.preview,
            num_rows=parsed.facts["num_rows"],
            num_columns=len(parsed.facts["columns"]),
            modality=parsed.facts["modality"],
            sha256=sha256,
            size_bytes=size_bytes,
        )


class _ClaimLease:
    """The claim's lease: until when this worker may write about the data set."""

    def __init__(self, store: Store, claim: ClaimedDataset, length_s: float, claimed_at: float) -> None:
        self._store = store
        self._claim = claim
        self._length_s = length_s
        self._deadline = claimed_at + length_s
        self._renew_at = claimed_at + length_s / 3

    def renew_if_due(self) -> None:
        """Renew it every third of its length; while the database is away, keep the present end.

        Raises:
            _ClaimLostError: Another worker has the data set, or it was deleted.
            StoreUnavailableError: The database is away, and the lease has passed.
        """
        now = time.monotonic()
        if now < self._renew_at:
            return
        try:
            renewed = self._store.renew_dataset(self._claim, self._length_s)
        except StoreUnavailableError:
            if now >= self._deadline:
                raise
            return
        if not renewed:
            raise _ClaimLostError("its lease had passed, or it was deleted")
        self._deadline = now + self._length_s
        self._renew_at = now + self._length_s / 3

    def insist(self, write: Callable[[], bool]) -> None:
        """Do the claim's last write, retrying for as long as the lease lasts.

        Raises:
            _ClaimLostError: Another worker has the data set, or it was deleted.
            StoreUnavailableError: The database is away, and the lease has passed.
        """
        if not insist(write, self._deadline):
            raise _ClaimLostError("its lease had passed, or it was deleted")
