import stat
import struct
import zipfile

import pytest

from regcore.data.files.archive import is_set_of_files, open_archive
from regcore.data.files.limits import FileLimits
from regcore.errors import InvalidDataError

LIMITS = FileLimits()


def _paths(path, limits=LIMITS):
    with open_archive(path, limits) as entries:
        return [entry.path for entry in entries]


def test_files_are_read_in_the_order_of_their_paths_without_what_systems_leave(zipped):
    path = zipped({"b/2.png": b"two", "a/1.png": b"one", "__MACOSX/a/._1.png": b"x", "a/.DS_Store": b"x", "c/": b""})

    with open_archive(path, LIMITS) as entries:
        read = [(entry.path, entry.size_bytes, entry.read()) for entry in entries]

    assert read == [("a/1.png", 3, b"one"), ("b/2.png", 3, b"two")]


def test_names_of_a_mac_that_do_not_say_they_are_utf_8_are_read_as_such(zipped, tmp_path):
    path = zipped({"katze/grün.png": b"x"})
    content = path.read_bytes()
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.index(magic) + place
        flags = struct.unpack("<H", content[start : start + 2])[0] & ~0x800
        content = content[:start] + struct.pack("<H", flags) + content[start + 2 :]
    path.write_bytes(content)

    assert _paths(path) == ["katze/grün.png"]


def _link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("a/link.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"../evil.png": b"x"}, "leads out of the set"),
        ({"/etc/evil.png": b"x"}, "is absolute"),
        ([(_link(), b"/etc/passwd")], "a/link.png in it is a link"),
        ({"a/bomb.png": bytes(5_000_000)}, "a/bomb.png in it unpacks to more than 200 times"),
    ],
    ids=["slip", "absolute", "link", "bomb"],
)
def test_unsafe_files_are_refused_by_name(zipped, files, said):
    with pytest.raises(InvalidDataError, match=said):
        _paths(zipped(files))


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (FileLimits(max_files=2), "3 files, and may hold 2"),
        (FileLimits(max_file_bytes=3), "a/1.png in it has 4 bytes"),
        (FileLimits(max_total_bytes=11), "unpacks to 12 bytes, and may unpack to 11"),
    ],
)
def test_more_than_the_limits_is_refused(zipped, limits, said):
    path = zipped({f"a/{number}.png": b"four" for number in (1, 2, 3)})

    with pytest.raises(InvalidDataError, match=said):
        _paths(path, limits)


def test_an_archive_that_lies_about_the_number_of_its_files_is_refused(zipped):
    path = zipped({f"a/{number}.png": b"" for number in range(9)})
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x05\x06")
    content[place + 8 : place + 12] = struct.pack("<HH", 1, 1)
    path.write_bytes(content)

    with pytest.raises(InvalidDataError, match="9 files, and may hold 5"):
        _paths(path, FileLimits(max_files=5))


def test_an_encrypted_or_damaged_file_is_named(zipped):
    path = zipped({"a/1.png": b"content " * 20})
    whole = path.read_bytes()
    place = whole.index(b"PK\x01\x02") + 8
    path.write_bytes(whole[:place] + struct.pack("<H", 1) + whole[place + 2 :])
    with pytest.raises(InvalidDataError, match=r"a/1\.png in it is encrypted"):
        _paths(path)

    start = whole.index(b"a/1.png") + len("a/1.png")
    path.write_bytes(whole[:start] + b"\xff" * 4 + whole[start + 4 :])
    with open_archive(path, LIMITS) as (entry,), pytest.raises(InvalidDataError, match=r"a/1\.png in it is damaged"):
        entry.read()


@pytest.mark.parametrize("cut", [0, 40, 100])
def test_an_archive_that_was_cut_off_is_told(zipped, cut):
    path = zipped({"a/1.png": b"content", "b/2.png": b"content"})
    path.write_bytes(path.read_bytes()[:cut])

    with pytest.raises(InvalidDataError, match="a ZIP archive that cannot be unpacked"):
        _paths(path)


@pytest.mark.parametrize(
    ("name", "is_set"), [("a/1.png", True), ("x.npy", False), ("xl/workbook.xml", False), ("rows.csv", True)]
)
def test_arrays_of_numpy_and_workbooks_are_no_sets_of_files(zipped, name, is_set):
    assert is_set_of_files(zipped({name: b"x"}), LIMITS) == is_set
