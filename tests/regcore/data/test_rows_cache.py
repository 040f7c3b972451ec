import os
import shutil
from types import SimpleNamespace

import pytest

from regcore.data.file_rows import MANIFEST
from regcore.data.rows_cache import DIR_VARIABLE, RowsCache, default_folder
from regcore.errors import InvalidDataError

GIB = 1 << 30


def _make(folder):
    (folder / "train.rows").write_text("rows")
    (folder / MANIFEST).touch()


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_made_once(tmp_path):
    cache, made = RowsCache(tmp_path / "rows"), []

    for _ in range(2):
        path = cache.find_or_make("key", 1, lambda folder: (made.append(folder), _make(folder)))

    assert len(made) == 1
    assert _names(path) == [MANIFEST, "train.rows"]
    assert _names(tmp_path / "rows") == ["key"]


def test_what_fails_leaves_nothing(tmp_path):
    def fail(folder):
        _make(folder)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        RowsCache(tmp_path).find_or_make("key", 1, fail)

    assert _names(tmp_path) == []


def test_a_full_disk_drops_what_was_unused_for_longest_and_says_what_is_missing(tmp_path, monkeypatch):
    cache = RowsCache(tmp_path)
    for age, name in enumerate(("new", "middle", "old")):
        os.utime(cache.find_or_make(name, 1, _make), (1e9 - age, 1e9 - age))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=(5 - len(_names(tmp_path))) * GIB))

    cache.find_or_make("more", 2 * GIB + 1, _make)

    assert _names(tmp_path) == ["more", "new"]
    with pytest.raises(InvalidDataError, match=r"9\.0 GiB on disk, and 5\.0 GiB are free") as caught:
        cache.find_or_make("too large", 9 * GIB, _make)
    assert DIR_VARIABLE in caught.value.remedy


def test_the_environment_names_the_folder(monkeypatch):
    monkeypatch.setenv(DIR_VARIABLE, "/somewhere")
    assert str(default_folder()) == "/somewhere"

    monkeypatch.delenv(DIR_VARIABLE)
    assert default_folder().name == f"regcore-rows-{os.getuid()}"
