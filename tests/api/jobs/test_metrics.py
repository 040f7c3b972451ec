from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import api.jobs.metrics
from api.jobs.metrics import MetricsLog, thin_out, write_csv
from api.jobs.queries import MetricsQuery
from api.jobs.schemas import MetricsPage, MetricsRow
from api.services import Services
from jobs.errors import JobNotFoundError
from jobs.states import JobState


def make_row(seq: int, **values: float | None) -> MetricsRow:
    return MetricsRow(seq=seq, epoch=seq, step=seq, at=1.5, values=values, non_finite=[])


@given(num_rows=st.integers(2, 200), max_points=st.integers(2, 200))
def test_thinned_rows_are_evenly_spread_between_both_ends(num_rows: int, max_points: int) -> None:
    rows = [make_row(seq) for seq in range(num_rows)]

    seqs = [row.seq for row in thin_out(rows, max_points)]

    gaps = [after - before for before, after in pairwise(seqs)]
    assert len(seqs) == min(num_rows, max_points)
    assert (seqs[0], seqs[-1]) == (0, num_rows - 1)
    assert max(gaps) - min(gaps) <= 2
    assert min(gaps) >= 1


@pytest.mark.parametrize("read_at_once", [1, 3, 10, 11])
def test_a_page_is_the_same_however_many_rows_are_read_at_once(
    read_at_once: int, services: Services, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = MetricsLog(services.store, "default", finished)
    expected = log.page(MetricsQuery(limit=7))

    monkeypatch.setattr(api.jobs.metrics, "_READ_AT_ONCE", read_at_once)

    assert log.page(MetricsQuery(limit=7)) == expected


@pytest.mark.parametrize(("limit", "has_more"), [(9, True), (10, False), (11, False)])
def test_a_page_knows_whether_another_follows(limit: int, has_more: bool, services: Services, finished: str) -> None:
    page = MetricsLog(services.store, "default", finished).page(MetricsQuery(limit=limit))

    assert page.has_more is has_more


def test_a_name_that_was_not_asked_for_is_not_called_non_finite(services: Services, finished: str) -> None:
    page = MetricsLog(services.store, "default", finished).page(MetricsQuery(names=["train/loss"]))

    assert page.data[-1].non_finite == []


def test_a_running_jobs_page_can_be_continued_from_where_it_ended(
    services: Services, running: tuple[str, int], add_metrics: Any
) -> None:
    job_id, run_id = running
    log = MetricsLog(services.store, "default", job_id)
    add_metrics(services, run_id, job_id, 3)

    page = log.page(MetricsQuery())
    rest = log.page(MetricsQuery(after=page.next_after))

    assert (rest.data, rest.next_after, rest.state) == ([], page.next_after, JobState.RUNNING)


def test_another_tenants_metrics_are_not_found(services: Services, finished: str) -> None:
    with pytest.raises(JobNotFoundError):
        MetricsLog(services.store, "other", finished).page(MetricsQuery())


def test_csv_has_a_column_for_each_metric_of_the_page() -> None:
    rows = [make_row(1, a=0.5), make_row(2, a=None, b=2.0)]
    page = MetricsPage(data=rows, next_after=2, has_more=False, state=JobState.RUNNING)

    assert write_csv(page) == (
        "seq,epoch,step,at,a,b\n1,1,1,1970-01-01T00:00:01.500Z,0.5,\n2,2,2,1970-01-01T00:00:01.500Z,,2.0\n"
    )
