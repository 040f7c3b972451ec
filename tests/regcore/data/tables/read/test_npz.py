"""NPZ files: x and y, whatever their type, byte order and layout; everything else is refused with words."""

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy

from regcore.data.tables.limits import Limits
from regcore.data.tables.read.npz import read_npz
from regcore.data.tables.read.rows import ReadRows
from regcore.errors import InvalidDataError

X = np.arange(12).reshape(4, 3)
Y = np.array([0, 1, 0, 1])


def _read(path: Path, limits: Limits | None = None) -> ReadRows:
    return read_npz(path, limits or Limits(), lambda share: None)


def _saved(folder: Path, **arrays: Any) -> Path:
    path = folder / "rows.npz"
    np.savez(path, **arrays)
    return path


def _zipped(folder: Path, entries: dict[str, bytes]) -> Path:
    path = folder / "rows.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def _npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _claiming(shape: str, descr: str = "'<f8'", content: bytes = b"") -> bytes:
    """An array whose header is this, whatever follows it."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return npy.magic(1, 0) + struct.pack("<H", len(header)) + header + content


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", ">f8", ">f2", "i1", "u1", ">i2", "<u4", ">i8", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_every_kind_of_number_is_read_exactly(tmp_path: Path, dtype: str, order: Any, save: Any) -> None:
    x = np.array((np.random.default_rng(0).normal(size=(50, 3)) * 9).astype(dtype), order=order)
    path = tmp_path / "rows.npz"
    save(path, x=x, y=np.arange(50))

    read = _read(path)

    assert read.names == ["column_1", "column_2", "column_3", "y"]
    assert read.default_target == "y"
    for place in range(3):
        assert read.columns[place].to_pylist() == x[:, place].tolist()


@pytest.mark.parametrize(
    "y",
    [
        np.array(["no", "yes", "", "Größe"]),
        np.array(["no", "yes"] * 2).astype(">U5"),
        np.array([True, False, True, True]),
        np.array([0.5, np.nan, np.inf, -1.0]),
        np.array([3, 1, 2, 2**62], dtype=">i8"),
        np.array([2**64 - 1, 0, 1, 2], dtype="u8"),
    ],
    ids=["text", "big-endian text", "booleans", "floats", "big-endian integers", "unsigned"],
)
def test_targets_of_any_type_are_read(tmp_path: Path, y: Any) -> None:
    read = _read(_saved(tmp_path, x=X, y=y))

    np.testing.assert_array_equal(read.columns[-1].to_pylist(), y.tolist())


def test_targets_as_bytes_are_text(tmp_path: Path) -> None:
    read = _read(_saved(tmp_path, x=X, y=np.array([b"a", b"bb", b"", b"a"])))

    assert read.columns[-1].to_pylist() == ["a", "bb", "", "a"]


def test_one_axis_of_x_is_one_column_and_a_column_of_y_one_target(tmp_path: Path) -> None:
    read = _read(_saved(tmp_path, x=np.arange(4.0), y=Y[:, None]))

    assert [column.to_pylist() for column in read.columns] == [[0.0, 1.0, 2.0, 3.0], [0, 1, 0, 1]]


def test_an_array_of_names_names_the_columns(tmp_path: Path) -> None:
    assert _read(_saved(tmp_path, x=X, columns=np.array(["a", "b", "c"]))).names == ["a", "b", "c"]


def test_x_alone_has_no_target(tmp_path: Path) -> None:
    read = _read(_saved(tmp_path, x=X))

    assert (read.names, read.default_target) == (["column_1", "column_2", "column_3"], None)


def test_other_arrays_are_ignored_and_said(tmp_path: Path) -> None:
    (warning,) = _read(_saved(tmp_path, x=X, y=Y, x_test=X)).warnings

    assert warning.code == "arrays_ignored"
    assert "x_test" in warning.message


def test_rows_of_more_than_one_block_keep_their_places(tmp_path: Path) -> None:
    shares: list[float] = []
    x = np.arange(7 * 400_000, dtype="f8").reshape(400_000, 7)
    path = _saved(tmp_path, x=x)

    read = read_npz(path, Limits(), shares.append)

    assert all(np.array_equal(column.to_numpy(), x[:, place]) for place, column in enumerate(read.columns))
    assert shares == sorted(shares)
    assert len(shares) > 1
    assert shares[-1] == 1.0


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"y": Y}, "without an array x. It holds 'y.npy'"),
        ({"x": X, "y": Y[:3]}, "x has 4 rows, and y has 3"),
        ({"x": X[:, :, None, None, None], "y": Y}, "5 axes"),
        ({"x": X, "y": X}, "one target for each row"),
        ({"x": np.array([["a", "b"]])}, "x holds several columns of text"),
        ({"x": X * 1j}, "complex128"),
        ({"x": X.astype("g")}, "float128"),
        ({"x": X.astype("M8[s]")}, "datetime64"),
        ({"x": X, "y": np.zeros(4, [("a", "i4")])}, r"\[\('a', '<i4'\)\]"),
        ({"x": np.zeros((0, 3)), "y": Y[:0]}, "no rows"),
        ({"x": np.zeros((4, 0))}, "no columns"),
        ({"x": X, "columns": np.array(["a", "b"])}, "name the 3 columns"),
        ({"x": X, "columns": Y[:3]}, "name the 3 columns"),
    ],
)
def test_arrays_that_are_no_table_are_refused(tmp_path: Path, arrays: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidDataError, match=said) as caught:
        _read(_saved(tmp_path, **arrays))

    assert caught.value.remedy


@pytest.mark.parametrize("name", ["x", "y"])
def test_python_objects_are_never_unpickled(tmp_path: Path, name: str) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "unpickled",))

    objects = np.full(4, Trap())
    path = tmp_path / "rows.npz"
    np.savez(path, **{"x": X, "y": Y, name: objects})

    with pytest.raises(InvalidDataError, match=f"{name} holds Python objects"):
        _read(path)

    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        pytest.param(_claiming("(1099511627776,)"), r"takes 8,796,093,022,\d+ bytes; there are", id="2**40 numbers"),
        pytest.param(_claiming("(2, -4)"), "damaged", id="negative"),
        pytest.param(_claiming("(3,)", content=bytes(16)), "takes", id="shorter than its shape"),
        pytest.param(_claiming("(1,)", content=bytes(16)), "takes", id="longer than its shape"),
        pytest.param(_claiming("(1,)", "'|O'", bytes(8)), "Python objects", id="objects"),
        pytest.param(_claiming("(1,)", "'|V8'", bytes(8)), "void64|V8", id="void"),
        pytest.param(_claiming("((((((" * 900), "cannot be read", id="deep"),
        pytest.param(_claiming("'a'"), "cannot be read", id="no shape"),
        pytest.param(npy.magic(2, 0) + struct.pack("<I", 10_000_000) + bytes(100), "10,000,000 byt", id="long header"),
        pytest.param(npy.magic(3, 0) + struct.pack("<I", 100) + bytes(100), "version 3.0", id="structured"),
        pytest.param(b"/etc/passwd", "not a NumPy array", id="a link's target"),
        pytest.param(b"", "not a NumPy array", id="nothing"),
        pytest.param(npy.magic(1, 0), "not a NumPy array", id="cut off in the header's length"),
    ],
)  # fmt: skip
def test_a_header_that_lies_is_refused(tmp_path: Path, entry: bytes, said: str) -> None:
    with pytest.raises(InvalidDataError, match=said):
        _read(_zipped(tmp_path, {"x.npy": entry}))


def test_entries_with_names_of_paths_are_never_unpacked(tmp_path: Path) -> None:
    path = _zipped(tmp_path, {"x.npy": _npy(X), "../../y.npy": _npy(Y), "/tmp/../evil": b"x"})

    read = _read(path)

    assert read.names == ["column_1", "column_2", "column_3"]
    assert [found.name for found in tmp_path.rglob("*")] == ["rows.npz"]


@pytest.mark.parametrize(
    ("entries", "remedy"),
    [
        ({"xl/workbook.xml": b""}, "Excel"),
        ({"rows.csv": b"a,b"}, "Unpack the archive"),
        ({}, "numpy.savez"),
    ],
)
def test_other_archives_are_told_what_to_do(tmp_path: Path, entries: dict[str, bytes], remedy: str) -> None:
    with pytest.raises(InvalidDataError, match="without an array x") as caught:
        _read(_zipped(tmp_path, entries))

    assert remedy in caught.value.remedy


def test_an_archive_with_very_many_entries_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="1,001 entries"):
        _read(_zipped(tmp_path, {f"{number}.npy": b"" for number in range(1_001)}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", _npy(X))
        archive.writestr("x.npy", _npy(X + 1))

    with pytest.raises(InvalidDataError, match="several arrays of one name"):
        _read(path)


def test_an_encrypted_array_is_refused(tmp_path: Path) -> None:
    path = _saved(tmp_path, x=X)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)

    with pytest.raises(InvalidDataError, match="encrypted"):
        _read(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_an_archive_that_was_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    path = _saved(tmp_path, x=X, y=Y)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(InvalidDataError, match="cannot be unpacked") as caught:
        _read(path)

    assert "send it again" in caught.value.remedy


def test_a_damaged_byte_is_noticed(tmp_path: Path) -> None:
    path = _saved(tmp_path, x=np.arange(1000.0))
    content = bytearray(path.read_bytes())
    content[4_000] ^= 0xFF
    path.write_bytes(content)

    with pytest.raises(InvalidDataError, match="CRC"):
        _read(path)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["u1", ">i8", "f4"])
def test_an_array_of_three_axes_or_four_holds_images(tmp_path: Path, order: Any, dtype: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3))

    read = _read(_saved(tmp_path, x=np.array(pixels, dtype, order=order), y=np.array(list("ababa"))))

    table = read.table("npz", Limits())
    facts = table.facts.column("image")
    assert facts is not None
    assert facts.image is not None
    assert (table.facts.modality, table.facts.default_target, facts.image.shape) == ("image", "y", (3, 6, 7))
    cells = [np.frombuffer(cell, np.uint8).reshape(3, 6, 7) for cell in table.columns["image"].to_pylist()]
    assert np.array_equal(np.stack(cells), pixels.transpose(0, 3, 1, 2))
    assert table.columns["y"].to_pylist() == list("ababa")


def test_texts_are_one_column_and_make_a_set_of_texts(tmp_path: Path) -> None:
    texts = [f"the review number {n} ü" for n in range(30)]
    path = tmp_path / "texts.npz"
    np.savez_compressed(path, x=np.array(texts), y=np.array(["good", "bad"] * 15))

    table = read_npz(path, Limits(), lambda share: None).table("npz", Limits())

    assert (table.facts.modality, table.facts.default_target) == ("text", "y")
    assert table.columns["column_1"].to_pylist() == texts
