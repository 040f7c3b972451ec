import os
import zipfile

import pytest

from regclient.errors import UsageError
from regclient.packed_folders import pack_folder


def test_equal_folders_give_equal_bytes_without_what_systems_leave(tmp_path):
    archives = []
    for number, order in enumerate((("a/1.png", "b/2.png"), ("b/2.png", "a/1.png"))):
        folder = tmp_path / f"set {number}"
        for name in order:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
            os.utime(folder / name, (number * 1e6, number * 1e6))
        (folder / "a" / ".DS_Store").write_text(str(number))
        archives.append(tmp_path / f"{number}.zip")
        told = []
        pack_folder(folder, archives[-1], told.append)
        assert sum(told) == 14

    assert archives[0].read_bytes() == archives[1].read_bytes()
    with zipfile.ZipFile(archives[0]) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "a/1.png": b"a/1.png",
            "b/2.png": b"b/2.png",
        }


def test_a_folder_that_is_no_set_is_refused_before_anything_is_packed(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "notes.md").touch()

    with pytest.raises(UsageError, match=r"holds no files that are read as a set: 'notes\.md'"):
        pack_folder(tmp_path / "home", tmp_path / "set.zip", lambda num_bytes: None)

    assert not (tmp_path / "set.zip").exists()
