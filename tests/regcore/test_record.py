import csv
import io
import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regcore.record import Record, format_time, metrics_body, metrics_csv


def test_what_is_not_finite_is_null_and_named():
    body = metrics_body(2, 30, {"train/loss": math.nan, "test/loss": 1.5, "a": math.inf, "b": -math.inf})

    assert body == {
        "epoch": 2,
        "step": 30,
        "values": {"train/loss": None, "test/loss": 1.5, "a": None, "b": None},
        "non_finite": ["a", "b", "train/loss"],
    }
    json.dumps(body, allow_nan=False)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1795419669.123, "2026-11-23T07:41:09.123Z"),
        (1795419669.0, "2026-11-23T07:41:09.000Z"),
        (1.001, "1970-01-01T00:00:01.001Z"),
    ],
)
def test_times_are_utc_with_milliseconds(at, text):
    assert format_time(at) == text


@given(milliseconds=st.integers(0, 4 * 10**12))
def test_no_millisecond_is_lost(milliseconds):
    text = format_time(milliseconds / 1000)

    assert int(text[-4:-1]) == milliseconds % 1000


def test_a_record_is_of_now():
    before = time.time()

    record = Record("log", {"message": "hello"})

    assert before <= record.at <= time.time()


def row(seq, values, at=0.0):
    return {"seq": seq, "epoch": seq, "step": 10 * seq, "at": at, "values": values, "non_finite": []}


def test_csv_has_a_column_for_each_name_in_order_of_appearance():
    text = metrics_csv([row(1, {"b": 1.5, "a": None}), row(2, {"a": 0.1, "c": 3})])

    assert text.splitlines() == [
        "seq,epoch,step,at,b,a,c",
        "1,1,10,1970-01-01T00:00:00.000Z,1.5,,",
        "2,2,20,1970-01-01T00:00:00.000Z,,0.1,3",
    ]


def test_csv_keeps_times_that_are_text():
    assert "2026-11-23T07:41:09.123Z" in metrics_csv([row(1, {}, at="2026-11-23T07:41:09.123Z")])


def test_csv_of_no_rows_is_its_head():
    assert metrics_csv([]) == "seq,epoch,step,at\n"


@given(
    values=st.dictionaries(
        st.text('abc/_.," ', max_size=9), st.floats(allow_nan=False, allow_infinity=False), max_size=4
    )
)
def test_csv_gives_every_number_back_exactly(values):
    names = ["seq", "epoch", "step", "at", *values]

    (read,) = list(csv.reader(io.StringIO(metrics_csv([row(1, values)]), newline="")))[1:]

    assert [float(cell) for cell in read[4:]] == list(values.values())
    assert len(read) == len(names)
