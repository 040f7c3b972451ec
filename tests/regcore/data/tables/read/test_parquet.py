"""Parquet files: every type of one value a cell becomes a plain one; footers that lie are refused."""

import datetime as dt
import io
import struct
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from regcore.data.tables.limits import Limits
from regcore.data.tables.read.parquet import read_parquet
from regcore.data.tables.read.rows import ReadRows
from regcore.errors import InvalidDataError


def _written(folder: Path, table: pa.Table, **options: Any) -> Path:
    path = folder / "rows.parquet"
    pq.write_table(table, path, **options)
    return path


def _read(path: Path, limits: Limits | None = None) -> ReadRows:
    return read_parquet(path, limits or Limits(), lambda share: None)


def _plain(folder: Path, cells: Any) -> pa.ChunkedArray:
    (column,) = _read(_written(folder, pa.table({"a": cells}))).columns
    return column


@pytest.mark.parametrize(
    "type",
    [pa.int8(), pa.uint8(), pa.int32(), pa.int64(), pa.uint64(), pa.float32(), pa.float64(), pa.bool_(), pa.string()],
    ids=str,
)
def test_plain_types_stay_with_their_gaps(tmp_path: Path, type: Any) -> None:
    cells = pa.array([1, None, 0, 1]).cast(type)

    column = _plain(tmp_path, cells)

    assert (column.type, column.to_pylist()) == (type, cells.to_pylist())


@pytest.mark.parametrize("type", [pa.decimal128(20, 2), pa.decimal256(50, 2), pa.decimal64(10, 2)], ids=str)
def test_decimals_keep_their_digits(tmp_path: Path, type: Any) -> None:
    cells = [Decimal("1.10"), None, Decimal("-2.00")]

    assert _plain(tmp_path, pa.array(cells, type)).to_pylist() == cells


@pytest.mark.parametrize("type", [pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary()], ids=str)
def test_text_of_any_type_becomes_text(tmp_path: Path, type: Any) -> None:
    column = _plain(tmp_path, pa.array(["a", None, "", "Größe"]).cast(type))

    assert (column.type, column.to_pylist()) == (pa.string(), ["a", None, "", "Größe"])


@pytest.mark.parametrize(
    "cells",
    [pa.array(["a", "b", None, "a"]), pa.array([1, 2, None, 1]), pa.array([1.5, 2.5, None, 1.5])],
    ids=["text", "integers", "floats"],
)
def test_dictionaries_are_looked_up(tmp_path: Path, cells: Any) -> None:
    column = _plain(tmp_path, cells.dictionary_encode())

    assert (column.type, column.to_pylist()) == (cells.type, cells.to_pylist())


@pytest.mark.parametrize(
    "cells",
    [
        pa.array([dt.datetime(2024, 1, 31, 12), None], pa.timestamp("s")),
        pa.array([dt.datetime(2024, 1, 31, 12), None], pa.timestamp("ms")),
        pa.array([dt.datetime(2024, 1, 31, 12), None], pa.timestamp("ns")),
        pa.array([dt.datetime(2024, 1, 31, 12), None], pa.timestamp("us", tz="UTC")),
        # Stored as the same instant: 13:00 in Berlin.
        pa.array([dt.datetime(2024, 1, 31, 12), None], pa.timestamp("ns", tz="Europe/Berlin")),
    ],
    ids=lambda cells: str(cells.type),
)
def test_points_in_time_of_any_unit_are_those_in_utc(tmp_path: Path, cells: Any) -> None:
    column = _plain(tmp_path, cells)

    assert (column.type, column.to_pylist()) == (pa.timestamp("us"), [dt.datetime(2024, 1, 31, 12), None])


@pytest.mark.parametrize("type", [pa.date32(), pa.date64()], ids=str)
def test_days_are_points_in_time(tmp_path: Path, type: Any) -> None:
    column = _plain(tmp_path, pa.array([dt.date(9999, 12, 31), dt.date(1, 1, 1), None], type))

    assert column.to_pylist() == [dt.datetime(9999, 12, 31), dt.datetime(1, 1, 1), None]


@pytest.mark.parametrize("type", [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")], ids=str)
def test_times_of_day_are_seconds(tmp_path: Path, type: Any) -> None:
    assert _plain(tmp_path, pa.array([dt.time(1, 2, 3), None], type)).to_pylist() == [3723.0, None]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_durations_are_seconds(tmp_path: Path, unit: str) -> None:
    cells = pa.array([dt.timedelta(seconds=1.5), None], pa.duration(unit))

    assert _plain(tmp_path, cells).to_pylist() == [1.5, None]


def test_not_a_number_stays_apart_from_gaps(tmp_path: Path) -> None:
    assert str(_plain(tmp_path, pa.array([1.0, np.nan, None])).to_pylist()) == "[1.0, nan, None]"


def test_half_precision_keeps_its_values(tmp_path: Path) -> None:
    halves = np.array([0.1, -65504.0, 6e-8], np.float16)

    assert _plain(tmp_path, pa.array(halves)).to_pylist() == halves.tolist()


def test_a_column_of_gaps_alone_is_read(tmp_path: Path) -> None:
    assert _plain(tmp_path, pa.nulls(3)).to_pylist() == [None, None, None]


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
def test_groups_of_rows_keep_their_order(tmp_path: Path, compression: str) -> None:
    table = pa.table({"n": np.arange(2_500), "text": [f"t{number % 7}" for number in range(2_500)]})

    read = _read(_written(tmp_path, table, row_group_size=1_000, compression=compression))

    assert [column.to_pylist() for column in read.columns] == [column.to_pylist() for column in table.columns]


def test_two_columns_of_one_name_are_both_read(tmp_path: Path) -> None:
    table = pa.table([pa.array(["a", "b"]), pa.array(["c", "d"]), pa.array([1, 2])], names=["s", "s", "s"])

    read = _read(_written(tmp_path, table))

    assert read.names == ["s", "s", "s"]
    assert [column.to_pylist() for column in read.columns] == [["a", "b"], ["c", "d"], [1, 2]]


def test_what_pandas_wrote_is_read(tmp_path: Path) -> None:
    frame = pandas.DataFrame(
        {"a": [1, 2], "b": pandas.Categorical(["x", "y"]), "c": pandas.to_datetime(["2024-01-31"] * 2)}
    )
    frame.to_parquet(tmp_path / "rows.parquet")

    read = _read(tmp_path / "rows.parquet")

    assert read.names == ["a", "b", "c"]
    assert [column.type for column in read.columns] == [pa.int64(), pa.string(), pa.timestamp("us")]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (pa.array([[1], [2, 3]]), "Column 'bad' is nested: list"),
        (pa.array([{"x": 1}]), "Column 'bad' is nested: struct"),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "Column 'bad' is nested: map"),
        (pa.array([b"ab"], pa.binary(2)), "Column 'bad' is of type fixed_size_binary"),
        (pa.array([b"\xff\xd8\xff"]), "Column 'bad' holds bytes that are not UTF-8 text"),
    ],
    ids=["list", "structure", "map", "fixed bytes", "bytes"],
)
def test_a_column_of_more_than_one_value_a_cell_is_refused_by_name(tmp_path: Path, cells: Any, said: str) -> None:
    path = _written(tmp_path, pa.table({"good": np.arange(len(cells)), "bad": cells}))

    with pytest.raises(InvalidDataError, match=said) as caught:
        _read(path)

    assert caught.value.details == {"column": "bad"}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (pa.table({"a": pa.array([], pa.int64())}), "no rows"),
        (pa.table({f"c{number}": [1] for number in range(11)}), "11 columns, and may have 10"),
        (pa.table({"a": np.arange(101)}), "101 rows, and may have 100"),
    ],
    ids=["no rows", "columns", "rows"],
)
def test_sizes_beyond_the_limits_are_refused(tmp_path: Path, table: pa.Table, said: str) -> None:
    with pytest.raises(InvalidDataError, match=said):
        _read(_written(tmp_path, table), Limits(max_columns=10, max_rows=100))


def test_a_long_cell_that_a_short_file_repeats_is_refused_before_it_is_written_out(tmp_path: Path) -> None:
    cells = pa.DictionaryArray.from_arrays(np.zeros(60_000, np.int32), pa.array(["x" * 900_000]))
    path = _written(tmp_path, pa.table({"a": cells}))
    assert path.stat().st_size < 1_000_000

    with pytest.raises(InvalidDataError, match="unpacks to more than 20,000,000,000 bytes"):
        _read(path)


# Footers


def _small() -> bytearray:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": np.arange(1_000), "b": ["x"] * 1_000}), sink)
    return bytearray(sink.getvalue())


def _refusal(folder: Path, content: bytes) -> InvalidDataError:
    path = folder / "rows.parquet"
    path.write_bytes(content)
    with pytest.raises(InvalidDataError) as caught:
        _read(path)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    content = _small()

    assert "does not end as one" in _refusal(tmp_path, content[: int(len(content) * share)]).message


def test_a_cut_in_the_middle_is_noticed(tmp_path: Path) -> None:
    content = _small()

    assert "Parquet" in _refusal(tmp_path, content[:100] + content[300:]).message


@pytest.mark.parametrize("length", [2**32 - 1, 10**6])
def test_a_footer_longer_than_the_file_is_refused(tmp_path: Path, length: int) -> None:
    content = _small()
    content[-8:-4] = struct.pack("<I", length)

    assert "claims" in _refusal(tmp_path, content).message


def test_a_footer_beyond_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(_small())

    with pytest.raises(InvalidDataError, match="describes very many columns"):
        _read(path, Limits(max_footer_bytes=100))


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    content = _small()
    content[:4] = content[-4:] = b"PARE"

    assert "encrypted" in _refusal(tmp_path, content).message


def _zigzag(number: int) -> bytes:
    """A whole number as the footer holds it."""
    coded, out = number << 1, bytearray()
    while coded > 0x7F:
        out.append(coded & 0x7F | 0x80)
        coded >>= 7
    return bytes([*out, coded])


@pytest.mark.parametrize("claimed", [1, 999, 2**40])
def test_a_footer_with_another_number_of_rows_is_refused(tmp_path: Path, claimed: int) -> None:
    content = _small()
    footer_start = len(content) - 8 - struct.unpack("<I", content[-8:-4])[0]
    footer = bytes(content[footer_start:-8])
    # The schema ends before field 3, the number of rows, as `0x16` and its value.
    first = footer.index(b"\x16" + _zigzag(1_000))
    lying = footer[:first] + b"\x16" + _zigzag(claimed) + footer[first + 1 + len(_zigzag(1_000)) :]

    refused = _refusal(tmp_path, content[:footer_start] + lying + struct.pack("<I", len(lying)) + b"PAR1")

    assert f"claims {claimed:,} rows" in refused.message


@pytest.mark.parametrize("claimed", [1_001, 90_000_000, 2**40])
def test_a_footer_that_lies_everywhere_alike_is_refused(tmp_path: Path, claimed: int) -> None:
    """All counts of rows and values agree with each other; the pages hold fewer."""
    content = _small()
    footer_start = len(content) - 8 - struct.unpack("<I", content[-8:-4])[0]
    lying = bytes(content[footer_start:-8]).replace(b"\x16" + _zigzag(1_000), b"\x16" + _zigzag(claimed))

    refused = _refusal(tmp_path, content[:footer_start] + lying + struct.pack("<I", len(lying)) + b"PAR1")

    assert "Parquet" in refused.message or "rows" in refused.message


@pytest.mark.parametrize("seed", range(8))
def test_damage_anywhere_ends_in_words_or_in_a_table(tmp_path: Path, seed: int) -> None:
    """What a damaged byte changed in a number cannot be noticed; nothing else than our own error may come of it."""
    rng = np.random.default_rng(seed)
    path = tmp_path / "rows.parquet"
    num_refused = 0
    for _ in range(40):
        content = _small()
        for place in rng.integers(4, len(content) - 4, 3):
            content[place] = rng.integers(256)
        path.write_bytes(content)
        refused = _read_or_refused(path)
        if isinstance(refused, InvalidDataError):
            num_refused += 1
        else:
            assert {len(column) for column in refused.columns} == {len(refused.columns[0])}

    assert num_refused


def _read_or_refused(path: Path) -> ReadRows | InvalidDataError:
    try:
        return _read(path)
    except InvalidDataError as error:
        return error


def test_the_nameless_index_of_a_data_frame_is_left_out_and_said(tmp_path: Path) -> None:
    frame = pandas.DataFrame({"a": [1, 2, 3]}, index=[7, 3, 1])
    frame.to_parquet(tmp_path / "rows.parquet")

    read = _read(tmp_path / "rows.parquet")

    assert read.names == ["a"]
    assert [warning.code for warning in read.warnings] == ["index_ignored"]


def test_points_in_time_of_sparks_old_kind_are_read_in_any_year(tmp_path: Path) -> None:
    cells = pa.array([dt.datetime(1500, 1, 1), dt.datetime(2024, 1, 31, 12)], pa.timestamp("us"))
    path = _written(tmp_path, pa.table({"a": cells}), use_deprecated_int96_timestamps=True)

    assert _read(path).columns[0].to_pylist() == [dt.datetime(1500, 1, 1), dt.datetime(2024, 1, 31, 12)]
