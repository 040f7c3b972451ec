from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from regclient import Client, UsageError
from regclient.filters import list_params

EMPTY: list[dict[str, Any]] = [
    {"state": ""},
    {"state": [""]},
    {"state": ["queued", ""]},
    {"name": ""},
    {"name": " "},
    {"labels": {}},
    {"labels": {"": "x"}},
    {"sweep_id": ""},
    {"created_after": ""},
    {"created_before": ""},
    {"sort": ""},
]
WRONG: list[dict[str, Any]] = [
    {"state": [None]},
    {"state": [3]},
    {"name": 3},
    {"name": "\udcff"},
    {"labels": [("a", "b")]},
    {"labels": {"a": 1}},
    {"labels": "a:b"},
    {"labels": {"a": "\udcff"}},
    {"labels": {"a:b": "c"}},
    {"created_after": datetime(2026, 1, 1)},
    {"created_after": date(2026, 1, 1)},
    {"created_before": 0.5},
    {"page_size": 0},
    {"page_size": 1001},
    {"page_size": True},
    {"page_size": "10"},
]


@pytest.mark.parametrize("filters", EMPTY + WRONG, ids=ascii)
def test_a_filter_that_is_empty_or_of_no_kind_is_an_error_that_names_it_and_nothing_is_sent(
    server: Any, filters: dict[str, Any]
) -> None:
    [name] = filters

    with Client() as client, pytest.raises(ValueError, match="There is no sweep" if name == "sweep_id" else name):
        client.jobs.list(**filters)

    assert server.requests == []


@pytest.mark.parametrize("state", [[], (), set()], ids=ascii)
def test_in_none_of_the_states_is_nothing(server: Any, state: Any) -> None:
    with Client() as client:
        client.jobs.create({})
        server.requests.clear()

        assert list(client.jobs.list(state=state)) == []
        assert list(client.sweeps.create({}).jobs(state=state)) == []

    assert [method for method, _, _ in server.requests] == ["POST"]


def test_none_restricts_nothing() -> None:
    assert list_params() == {"limit": 200}


def test_sweeps_have_the_filters_that_http_has() -> None:
    wanted = {"label": ["team:vision"], "name": "n", "created_after": "2026-11-23T07:41:09.123Z", "limit": 5}

    assert (
        list_params(labels={"team": "vision"}, name="n", created_after=wanted["created_after"], page_size=5) == wanted
    )


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-3, minutes=-30))], ids=str)
def test_a_datetime_is_written_as_utc(zone: timezone) -> None:
    moment = datetime(2026, 11, 23, 7, 41, 9, 123_456, UTC).astimezone(zone)

    assert list_params(created_before=moment)["created_before"] == "2026-11-23T07:41:09.123456Z"


def test_sweeps_are_listed_by_name_label_and_time_of_a_real_server(real_client: Client) -> None:
    spec = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}, "training": {"epochs": 1}}
    sweep = real_client.sweeps.create({"name": "found", "labels": {"a": "b"}, "base": spec, "seeds": [0]})
    moment = datetime.fromisoformat(sweep.created_at)

    found = [
        list(real_client.sweeps.list(**filters))
        for filters in (
            {"name": "found"},
            {"labels": {"a": "b"}},
            {"created_after": moment - timedelta(seconds=1)},
            {"name": "lost"},
            {"created_before": moment - timedelta(days=1)},
        )
    ]

    sweep.cancel()
    assert [[one.id for one in group] for group in found] == [[sweep.id]] * 3 + [[]] * 2


def test_metrics_of_no_name_are_an_error(server: Any) -> None:
    with Client() as client, pytest.raises(UsageError, match="names"):
        client.jobs.create({}).metrics([])
