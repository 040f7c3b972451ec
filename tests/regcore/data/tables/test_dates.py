"""Dates in people's orders."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regcore.data.tables.dates import FORMATS, DateChoice, find_date_format, parse_dates


def choice_of(*cells: str) -> DateChoice:
    return find_date_format(pa.array(cells), np.ones(len(cells), np.int64))


@pytest.mark.parametrize(
    ("text", "date_format", "expected"),
    [
        ("2024-02-29", None, datetime(2024, 2, 29)),
        ("2024-01-31T10:11", None, datetime(2024, 1, 31, 10, 11)),
        ("2024-01-31 10:11:12.5", None, datetime(2024, 1, 31, 10, 11, 12, 500_000)),
        ("2024-01-31T10:11:12Z", None, datetime(2024, 1, 31, 10, 11, 12)),
        ("2024-01-01T00:30:00+02:00", None, datetime(2023, 12, 31, 22, 30)),
        ("2024-01-01 00:30 -0530", None, datetime(2024, 1, 1, 6)),
        ("31.12.2024", "%d.%m.%Y", datetime(2024, 12, 31)),
        ("31.12.24 13:05", "%d.%m.%y", datetime(2024, 12, 31, 13, 5)),
        ("12/31/2024 1:05 PM", "%m/%d/%Y", datetime(2024, 12, 31, 13, 5)),
        ("12/31/1999 12:00 am", "%m/%d/%Y", datetime(1999, 12, 31)),
        ("31 Dec 2024", "%d %b %Y", datetime(2024, 12, 31)),
        ("3. march 2024", "%d. %b %Y", datetime(2024, 3, 3)),
        ("31-DEC-99", "%d-%b-%y", datetime(1999, 12, 31)),
        ("December 31, 2024", "%b %d, %Y", datetime(2024, 12, 31)),
        ("2024/12/31", "%Y/%m/%d", datetime(2024, 12, 31)),
        ("2024-12", "%Y-%m", datetime(2024, 12, 1)),
        ("20241231", "%Y%m%d", datetime(2024, 12, 31)),
    ],
)
def test_each_order_is_found_and_read(text: str, date_format: str | None, expected: datetime) -> None:
    assert choice_of(text).best == date_format
    assert parse_dates(pa.array([text]), date_format).to_pylist() == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "2023-02-29",
        "2024-13-01",
        "2024-00-10",
        "2024-01-32",
        "2024-01-01 24:00",
        "2024-01-01 10:60",
        "2024-01-01 1:00 pmx",
    ],
)
def test_days_and_times_that_do_not_exist_are_none(text: str) -> None:
    assert parse_dates(pa.array([text, "2024-01-31"]), None).to_pylist() == [None, datetime(2024, 1, 31)]


@pytest.mark.parametrize(
    ("cells", "other"),
    [
        (["01/02/2024", "03/04/2024"], "%m/%d/%Y"),
        (["01.02.2024", "03.04.2024"], "%m.%d.%Y"),
        (["01/02/2024", "13/04/2024"], None),
        (["05/05/2024"], None),
    ],
    ids=str,
)
def test_dates_of_two_orders_are_known(cells: list[str], other: str | None) -> None:
    assert choice_of(*cells).other == other


def test_an_order_that_contradicts_another_reads_only_its_own() -> None:
    assert choice_of("31/12/2024", "30/11/2024", "12/31/2024").num_read == 2


@pytest.mark.parametrize("cells", [["12.5", "1.5"], ["abc"], ["12:30"], ["1-2"], ["555-1234"], [""]], ids=str)
def test_what_is_no_date_is_read_in_no_order(cells: list[str]) -> None:
    assert choice_of(*cells).num_read == 0


@given(moment=st.datetimes(datetime(1970, 1, 1), datetime(2068, 12, 31)), place=st.integers(0, len(FORMATS) - 1))
def test_what_strftime_writes_is_read(moment: datetime, place: int) -> None:
    date_format = FORMATS[place]
    moment = moment.replace(microsecond=0, day=1 if date_format == "%Y-%m" else moment.day)
    text = moment.strftime(f"{date_format or '%Y-%m-%d'} %H:%M:%S")

    assert parse_dates(pa.array([text]), date_format).to_pylist() == [moment]
