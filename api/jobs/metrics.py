"""Choosing from a job's metrics: by name, by page, or thinned out for a chart."""

from collections.abc import Iterator
from dataclasses import dataclass

from api.http.queries import split_commas
from api.http.times import show_time
from api.jobs.log_places import state_behind
from api.jobs.queries import MetricsQuery
from api.jobs.schemas import MetricsPage, MetricsRow
from jobs.model import RecordRow
from jobs.store import Store
from regcore.record import metrics_csv

_READ_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class MetricsLog:
    """One job's metrics."""

    store: Store
    tenant: str
    job_id: str

    def page(self, query: MetricsQuery) -> MetricsPage:
        """Return the rows of a query.

        Raises:
            JobNotFoundError: There is no such job.
            ProblemError: `after` is beyond the end of the log of a job that goes on.
        """
        # The state is read first: so if it is terminal, the page includes the last row.
        state = state_behind(self.store, self.tenant, self.job_id, query.after)
        names = frozenset(split_commas(query.names))
        rows: list[MetricsRow] = []
        has_more = False
        for row in self._rows(query.after, names):
            if query.max_points is None and len(rows) == query.limit:
                has_more = True
                break
            rows.append(row)
        next_after = rows[-1].seq if rows else query.after
        if query.max_points is not None:
            rows = thin_out(rows, query.max_points)
        return MetricsPage(data=rows, next_after=next_after, has_more=has_more, state=state)

    def _rows(self, after: int, names: frozenset[str]) -> Iterator[MetricsRow]:
        while records := self._read(after):
            for record in records:
                row = _show(record, names)
                if row.values:
                    yield row
            after = records[-1].seq
            if len(records) < _READ_AT_ONCE:
                return

    def _read(self, after: int) -> list[RecordRow]:
        return self.store.records(self.tenant, self.job_id, after, _READ_AT_ONCE, kinds=["metrics"])


def thin_out(rows: list[MetricsRow], max_points: int) -> list[MetricsRow]:
    """Return at most this many of the rows, evenly spread, with the first and the last."""
    if len(rows) <= max_points:
        return rows
    last = len(rows) - 1
    return [rows[round(index * last / (max_points - 1))] for index in range(max_points)]


def write_csv(page: MetricsPage) -> str:
    """Return a page as CSV, a column for each metric."""
    return metrics_csv({**dict(row), "at": show_time(row.at)} for row in page.data)


def _show(record: RecordRow, names: frozenset[str]) -> MetricsRow:
    body = record.body
    values = {name: value for name, value in body["values"].items() if not names or name in names}
    non_finite = [name for name in body.get("non_finite", ()) if not names or name in names]
    return MetricsRow(
        seq=record.seq,
        epoch=body["epoch"],
        step=body["step"],
        at=record.at,
        values=values,
        non_finite=non_finite,
    )
