import os

import pytest

from regcore.data.files.folder import files_of_folder
from regcore.data.files.limits import FileLimits
from regcore.errors import InvalidDataError


def test_all_files_are_found_in_the_order_of_their_paths_and_read(tmp_path):
    for name in ("b/2.png", "a/C#/1.png", "a/.DS_Store", "Thumbs.db"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)

    found = files_of_folder(tmp_path, FileLimits())

    assert [(entry.path, entry.size_bytes, entry.read()) for entry in found] == [
        ("a/C#/1.png", 10, b"a/C#/1.png"),
        ("b/2.png", 7, b"b/2.png"),
    ]


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_link_inside_is_refused_and_one_to_the_folder_is_followed(tmp_path, is_folder):
    folder = tmp_path / "set"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    target = tmp_path if is_folder else tmp_path / "elsewhere.png"
    (tmp_path / "elsewhere.png").touch()

    assert files_of_folder(tmp_path / "link", FileLimits()) == []

    (folder / "inside.png").symlink_to(target)
    with pytest.raises(InvalidDataError, match=r"inside\.png is a link"):
        files_of_folder(folder, FileLimits())


def test_pipes_names_that_are_no_text_and_too_many_files_are_refused(tmp_path):
    (tmp_path / "1.png").touch()
    (tmp_path / "2.png").touch()
    with pytest.raises(InvalidDataError, match="more than 1 files"):
        files_of_folder(tmp_path, FileLimits(max_files=1))

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidDataError, match="neither a file nor a folder"):
        files_of_folder(tmp_path, FileLimits())

    (tmp_path / "pipe").unlink()
    with open(os.fsencode(tmp_path) + b"/\xff.png", "wb"):
        pass
    with pytest.raises(InvalidDataError, match="is not UTF-8"):
        files_of_folder(tmp_path, FileLimits())


def test_a_file_that_has_gone_is_named(tmp_path):
    (tmp_path / "1.png").touch()
    (entry,) = files_of_folder(tmp_path, FileLimits())
    (tmp_path / "1.png").unlink()

    with pytest.raises(InvalidDataError, match=r"1\.png cannot be read: No such file"):
        entry.read()
