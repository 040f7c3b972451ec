"""Workers read users' data sets: a claim has a lease and a fence, as a run of jobs has.

A set that no worker holds is claimed by the first that asks. Each claim counts up ``attempt``, and every write names
the one that it belongs to: those of a claim that was lost are refused.
"""

import random
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, select, update

from jobs.clock import read_clock
from jobs.model import ClaimedDataset, Json, ParsedTable
from jobs.states import DatasetState, Reason, make_reason
from jobs.store.base import Concern
from jobs.tables import datasets

_RETRY_DELAY_S = 2.0


class Parsing(Concern):
    """Claiming data sets, keeping the claim, and storing what was found."""

    def claim_dataset(self, worker_id: str, lease_s: float | None = None) -> ClaimedDataset | None:
        """Take the data set that has waited longest, with a new attempt and lease; None if none waits."""
        # Workers ask often and mostly in vain: a plain read keeps no other transaction waiting.
        with self._database.read() as connection:
            if connection.execute(_waiting(datasets.c.id, read_clock(connection))).first() is None:
                return None
        with self._database.write() as connection:
            at = read_clock(connection)
            row = connection.execute(_waiting(datasets, at).with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            claim = ClaimedDataset(
                id=row.id,
                attempt=row.attempt + 1,
                tenant=row.tenant,
                name=row.name,
                sha256=row.sha256,
                size_bytes=row.size_bytes,
                header=row.header,
                format=row.format,
            )
            changes = {"attempt": claim.attempt, "worker_id": worker_id, "lease_until": self._lease_end(at, lease_s)}
            connection.execute(update(datasets).where(datasets.c.id == row.id).values(changes))
            return claim

    def renew_dataset(self, claim: ClaimedDataset, lease_s: float | None = None) -> bool:
        """Extend a claim's lease from now; False if the claim was lost, or the data set deleted."""
        with self._database.write() as connection:
            changes = {"lease_until": self._lease_end(read_clock(connection), lease_s)}
            return connection.execute(update(datasets).where(_is_held(claim)).values(changes)).rowcount == 1

    def finish_dataset(self, claim: ClaimedDataset, table: ParsedTable) -> bool:
        """Make a data set ready; False if the claim was lost, or the data set deleted: then nothing is stored."""
        return self._settle(
            claim,
            DatasetState.READY,
            facts=table.facts,
            preview=table.preview,
            num_rows=table.num_rows,
            num_columns=table.num_columns,
            modality=table.modality,
            table_sha256=table.sha256,
            table_size_bytes=table.size_bytes,
        )

    def reject_dataset(self, claim: ClaimedDataset, reason: Json) -> bool:
        """Make a data set invalid, with a ``state_reason``; False if the claim was lost, or the data set deleted."""
        return self._settle(claim, DatasetState.INVALID, state_reason=reason)

    def return_dataset(self, claim: ClaimedDataset) -> bool:
        """Give a data set back unread, for another worker to claim now; False if the claim was lost before.

        This counts against nobody: it is what a worker does that shuts down.
        """
        with self._database.write() as connection:
            changes = {**_FREE, "claimable_at": read_clock(connection)}
            return connection.execute(update(datasets).where(_is_held(claim)).values(changes)).rowcount == 1

    def lose_dataset(self, claim: ClaimedDataset, last_reason: Json | None = None) -> bool:
        """Give a data set back whose reader has died; False if the claim was lost before.

        After as many losses as the setting for attempts allows it is invalid, for the last reason.
        """
        with self._database.write() as connection:
            return bool(self._lose(connection, _is_held(claim), read_clock(connection), last_reason))

    def expire_dataset_leases(self) -> list[str]:
        """Give back the data sets of workers that were silent for longer than their lease; return their ids."""
        lost: list[str] = []
        while True:
            with self._database.write() as connection:
                at = read_clock(connection)
                found = self._lose(connection, datasets.c.lease_until < at, at)
            if found is None:
                return lost
            lost.append(found)

    def _settle(self, claim: ClaimedDataset, state: DatasetState, **values: object) -> bool:
        with self._database.write() as connection:
            at = read_clock(connection)
            changes = {**_FREE, **values, **_changed(at), "state": state.value, "finished_at": at}
            return connection.execute(update(datasets).where(_is_held(claim)).values(changes)).rowcount == 1

    def _lose(
        self, connection: Connection, condition: ColumnElement[bool], at: float, last_reason: Json | None = None
    ) -> str | None:
        """Count a loss of the first data set that meets the condition; return its id, or None if there is none."""
        query = select(datasets.c.id, datasets.c.num_lost_attempts).where(condition).order_by(datasets.c.id).limit(1)
        row = connection.execute(query.with_for_update(skip_locked=True)).first()
        if row is None:
            return None
        num_lost = row.num_lost_attempts + 1
        changes = {**_FREE, "num_lost_attempts": num_lost, "claimable_at": at + _delay_s(num_lost)}
        if num_lost >= self._options.max_attempts:
            reason = last_reason or make_reason(Reason.PARSER_LOST)
            reason = {**reason, "details": {**reason["details"], "num_lost_attempts": num_lost}}
            invalid = {"state": DatasetState.INVALID.value, "state_reason": reason, "finished_at": at}
            changes = {**changes, **invalid, **_changed(at)}
        connection.execute(update(datasets).where(datasets.c.id == row.id).values(changes))
        return str(row.id)

    def _lease_end(self, at: float, lease_s: float | None) -> float:
        return at + (self._options.lease_s if lease_s is None else lease_s)


def end_dataset_leases(connection: Connection, worker_id: str) -> None:
    """Let the claims of a worker that is certainly dead expire now; `expire_dataset_leases` then finds them."""
    mine = select(datasets.c.id).where(datasets.c.worker_id == worker_id, datasets.c.lease_until.is_not(None))
    # Locked first, in the order that all use: one update of all rows would lock them in any order.
    ids = list(connection.execute(mine.order_by(datasets.c.id).with_for_update()).scalars())
    connection.execute(update(datasets).where(datasets.c.id.in_(ids)).values(lease_until=0))


_FREE: Json = {"worker_id": None, "lease_until": None}
"""The columns of a data set that no worker holds."""


def _waiting(what: Table | ColumnElement[Any], at: float) -> Select[Any]:
    """The data set that has waited longest."""
    waits = (
        datasets.c.state == DatasetState.VALIDATING.value,
        datasets.c.lease_until.is_(None),
        datasets.c.claimable_at <= at,
    )
    return select(what).where(*waits).order_by(datasets.c.claimable_at, datasets.c.id).limit(1)


def _is_held(claim: ClaimedDataset) -> ColumnElement[bool]:
    return (datasets.c.id == claim.id) & (datasets.c.attempt == claim.attempt) & datasets.c.lease_until.is_not(None)


def _changed(at: float) -> Json:
    return {"version": datasets.c.version + 1, "updated_at": at}


def _delay_s(num_lost: int) -> float:
    """No delay after the first loss, which is seldom the file's fault."""
    if num_lost < 2:
        return 0.0
    return _RETRY_DELAY_S * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards nothing
