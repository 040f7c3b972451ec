"""Users' data sets: receiving, reading, listing and deleting them. `jobs.store.parsing` is the workers' part."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, false, func, insert, or_, select
from sqlalchemy.exc import IntegrityError

from jobs.clock import read_clock
from jobs.errors import DatasetNotFoundError, VersionChangedError
from jobs.ids import new_id
from jobs.model import (
    ArtifactRow,
    Dataset,
    DatasetFilter,
    DatasetSubmission,
    IdempotencyKey,
    Json,
    NewDataset,
    Page,
)
from jobs.states import DatasetState
from jobs.store.base import Concern
from jobs.store.cursors import Cursor, read_cursor, write_cursor
from jobs.store.needs import refuse_while_trained_on
from jobs.store.reading import newest_ids, read_referenced
from jobs.store.rows import AnyRow
from jobs.store.submission import claim_key, kept_answer
from jobs.tables import datasets

_COLUMNS = [
    datasets.c.id,
    datasets.c.tenant,
    datasets.c.version,
    datasets.c.name,
    datasets.c.sha256,
    datasets.c.size_bytes,
    datasets.c.header,
    datasets.c.format,
    datasets.c.state,
    datasets.c.state_reason,
    datasets.c.created_at,
    datasets.c.updated_at,
    datasets.c.finished_at,
    datasets.c.num_rows,
    datasets.c.num_columns,
    datasets.c.modality,
]
_ORDERS: dict[str, tuple[ColumnElement[Any], bool, type]] = {
    "created_at": (datasets.c.created_at, False, float),
    "-created_at": (datasets.c.created_at, True, float),
    "name": (func.coalesce(datasets.c.name, ""), False, str),
}
DATASET_SORTS = tuple(_ORDERS)
"""The orders that `Datasets.list_datasets` knows."""
_FILE_COLUMNS = [
    datasets.c.id,
    datasets.c.sha256,
    datasets.c.size_bytes,
    datasets.c.table_sha256,
    datasets.c.table_size_bytes,
]
UPLOAD, TABLE = "upload", "table.parquet"
"""The files of a data set."""


class Datasets(Concern):
    """A user's data sets. One tenant's equal bytes, read in the same way, are one set."""

    def create_dataset(self, tenant: str, new: NewDataset, key: IdempotencyKey | None = None) -> DatasetSubmission:
        """Store a data set that is to be read, or return the one that the tenant has of these bytes.

        Raises:
            IdempotencyMismatchError: The key was used for another body.
            IdempotencyBusyError: A call with this key has not ended.
        """
        with self._database.write() as connection:
            at = read_clock(connection)
            ttl_s = self._options.idempotency_ttl_s
            answer = kept_answer(connection, tenant, key, at - ttl_s) if key else None
            if answer is not None:
                return _replayed(answer)
            found = None
            while found is None:  # the one that was there may be deleted before it is read
                is_new = _insert(connection, tenant, new, at)
                found = _find_equal(connection, tenant, new)
            said = {"is_new": is_new, "dataset": asdict(found)}
            answer = claim_key(connection, tenant, key, said, at, ttl_s)
            return DatasetSubmission(found, is_new, replayed=False) if answer is None else _replayed(answer)

    def get_dataset(self, tenant: str, dataset_id: str) -> Dataset:
        """Return a data set.

        Raises:
            DatasetNotFoundError: There is none, or it is another tenant's.
        """
        with self._database.read() as connection:
            return Dataset(**_fields(_read(connection, tenant, dataset_id, _COLUMNS)))

    def dataset_facts(self, tenant: str, dataset_id: str) -> Json | None:
        """Return the `regcore.data.tables.facts.TableFacts` of a data set; None unless it is ready. They never change.

        Raises:
            DatasetNotFoundError: There is none, or it is another tenant's.
        """
        with self._database.read() as connection:
            facts: Json | None = _read(connection, tenant, dataset_id, [datasets.c.facts]).facts
            return facts

    def preview_dataset(self, tenant: str, dataset_id: str) -> Json | None:
        """Return the first rows of a data set as they were read; None unless it is ready.

        Raises:
            DatasetNotFoundError: There is none, or it is another tenant's.
        """
        with self._database.read() as connection:
            preview: Json | None = _read(connection, tenant, dataset_id, [datasets.c.preview]).preview
            return preview

    def list_datasets(
        self,
        tenant: str,
        dataset_filter: DatasetFilter | None = None,
        sort: str = "-created_at",
        after: str | None = None,
        limit: int = 50,
    ) -> Page[Dataset]:
        """Return a page of the data sets that meet the filter as they are now.

        Args:
            tenant: Whose data sets.
            dataset_filter: Which of them; all if None.
            sort: One of `DATASET_SORTS`.
            after: The ``next_after`` of the page before; None for the first.
            limit: Most data sets on the page, ≥ 1.

        Raises:
            InvalidCursorError: ``after`` is not a cursor of a list in this order.
        """
        key, descending, _ = _ORDERS[sort]
        conditions = [datasets.c.tenant == tenant, *_conditions(dataset_filter or DatasetFilter())]
        if after is not None:
            conditions.append(_behind(key, descending, read_dataset_place(after, sort)))
        by = [key.desc(), datasets.c.id.desc()] if descending else [key.asc(), datasets.c.id.asc()]
        query = select(*_COLUMNS, key.label("sort_key")).where(*conditions).order_by(*by).limit(limit + 1)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        more, rows = len(rows) > limit, rows[:limit]
        next_after = write_cursor(sort, Cursor(rows[-1].sort_key, rows[-1].id)) if more else None
        return Page([Dataset(**_fields(row, len(_COLUMNS))) for row in rows], next_after)

    def delete_dataset(self, tenant: str, dataset_id: str, versions: Collection[int] | None = None) -> list[str]:
        """Delete a data set, also one that is being read.

        Args:
            tenant: The owner.
            dataset_id: The data set.
            versions: Those that the caller would delete: any if None.

        Returns:
            The hashes of its files that nothing else has: these may be deleted.

        Raises:
            DatasetNotFoundError: There is none, or it is another tenant's.
            IllegalActionError: An unfinished job trains on it.
            VersionChangedError: It has none of these versions.
        """
        with self._database.write() as connection:
            columns = [datasets.c.version, datasets.c.sha256, datasets.c.table_sha256]
            row = _read(connection, tenant, dataset_id, columns, lock=True)
            if versions is not None and row.version not in versions:
                raise VersionChangedError(dataset_id)
            refuse_while_trained_on(connection, dataset_id)
            connection.execute(delete(datasets).where(datasets.c.id == dataset_id))
            had = [one for one in (row.sha256, row.table_sha256) if one is not None]
            return sorted(set(had) - read_referenced(connection, had))

    def dataset_table(self, dataset_id: str) -> ArtifactRow | None:
        """Return the file of a data set's table, for the workers; None if there is none, or not any more."""
        with self._database.read() as connection:
            files = read_dataset_files(connection, dataset_id)
        return next((file for file in files if file.name == TABLE), None)


def read_dataset_files(connection: Connection, dataset_id: str) -> list[ArtifactRow]:
    """Return the files of a data set: the one that was uploaded, and that of its table, if there is one."""
    query = select(*_FILE_COLUMNS).where(datasets.c.id == dataset_id)
    return [file for row in connection.execute(query) for file in _files(row)]


def read_all_dataset_files(connection: Connection, after: tuple[str, str], limit: int) -> list[tuple[str, ArtifactRow]]:
    """Return the files of up to ``limit`` data sets after the one of this id and file, each with its data set's id."""
    query = select(*_FILE_COLUMNS).where(datasets.c.id > after[0]).order_by(datasets.c.id).limit(limit)
    return [(row.id, file) for row in connection.execute(query) for file in _files(row)]


def read_dataset_place(after: str, sort: str) -> Cursor:
    """Return the place that a cursor of a list of data sets names.

    Raises:
        InvalidCursorError: It is not a cursor of a list in this order.
    """
    return read_cursor(after, sort, _ORDERS[sort][2])


def _files(row: AnyRow) -> list[ArtifactRow]:
    files = [ArtifactRow(UPLOAD, row.size_bytes, row.sha256, "application/octet-stream")]
    if row.table_sha256 is not None:
        files.append(ArtifactRow(TABLE, row.table_size_bytes, row.table_sha256, "application/vnd.apache.parquet"))
    return files


def _insert(connection: Connection, tenant: str, new: NewDataset, at: float) -> bool:
    """Store a data set; False if the tenant has one of these bytes."""
    row = {
        **asdict(new),
        "id": new_id("ds"),
        "tenant": tenant,
        "version": 1,
        "state": DatasetState.VALIDATING.value,
        "created_at": at,
        "updated_at": at,
        "attempt": 0,
        "num_lost_attempts": 0,
        "claimable_at": at,
    }
    try:
        with connection.begin_nested():
            connection.execute(insert(datasets).values(row))
    except IntegrityError:
        return False
    return True


def _find_equal(connection: Connection, tenant: str, new: NewDataset) -> Dataset | None:
    same = {"tenant": tenant, "sha256": new.sha256, "header": new.header, "format": new.format}
    row = connection.execute(select(*_COLUMNS).filter_by(**same)).one_or_none()
    return None if row is None else Dataset(**_fields(row))


def _replayed(answer: Json) -> DatasetSubmission:
    fields = {**answer["dataset"], "state": DatasetState(answer["dataset"]["state"])}
    return DatasetSubmission(Dataset(**fields), answer["is_new"], replayed=True)


def _read(
    connection: Connection,
    tenant: str,
    dataset_id: str,
    columns: Sequence[ColumnElement[Any]],
    *,
    lock: bool = False,
) -> AnyRow:
    # PostgreSQL's text cannot hold NUL, and it raises an error
    is_it = false() if "\0" in dataset_id else (datasets.c.id == dataset_id) & (datasets.c.tenant == tenant)
    query = select(*columns).where(is_it)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise DatasetNotFoundError(dataset_id, newest_ids(connection, datasets, tenant))
    return row


def _fields(row: AnyRow, num_columns: int | None = None) -> dict[str, Any]:
    fields = dict(zip(row._fields[:num_columns], row, strict=num_columns is None))
    return {**fields, "state": DatasetState(fields["state"])}


def _conditions(wanted: DatasetFilter) -> list[ColumnElement[bool]]:
    if any("\0" in text for text in (wanted.name or "", wanted.sha256 or "")):
        return [false()]  # PostgreSQL's text cannot hold NUL, and it raises an error
    conditions: list[ColumnElement[bool]] = []
    if wanted.states:
        conditions.append(datasets.c.state.in_(sorted(wanted.states)))
    if wanted.name is not None:
        conditions.append(datasets.c.name == wanted.name)
    if wanted.sha256 is not None:
        conditions.append(datasets.c.sha256 == wanted.sha256)
    if wanted.created_after is not None:
        conditions.append(datasets.c.created_at > wanted.created_after)
    if wanted.created_before is not None:
        conditions.append(datasets.c.created_at < wanted.created_before)
    return conditions


def _behind(key: ColumnElement[Any], descending: bool, last: Cursor) -> ColumnElement[bool]:
    if descending:
        return or_(key < last.value, and_(key == last.value, datasets.c.id < last.row_id))
    return or_(key > last.value, and_(key == last.value, datasets.c.id > last.row_id))
