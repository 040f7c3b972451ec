import os
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.errors import SettingsError
from jobs.folders import check_folders, make_private
from jobs.settings import Settings


def a_file(root: Path) -> Path:
    (root / "file").touch()
    return root / "file"


def below_a_file(root: Path) -> Path:
    return a_file(root) / "below"


def a_link_to_nothing(root: Path) -> Path:
    (root / "link").symlink_to(root / "nothing")
    return root / "link"


def a_long_name(root: Path) -> Path:
    return root / ("x" * 300)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (a_file, "file', which is a file"),
        (below_a_file, "file', which is a file"),
        (a_link_to_nothing, "link', a link to nothing"),
        (a_long_name, "(File name too long)"),
    ],
)
@pytest.mark.parametrize("name", ["data_dir", "checkpoints_dir", "artifacts_url", "database_url"])
def test_a_folder_that_cannot_be_used_is_one_line_with_its_variable(
    name: str, make: Callable[[Path], Path], fault: str, tmp_path: Path
) -> None:
    path = make(tmp_path)
    values = {"artifacts_url": f"file://{path}", "database_url": f"sqlite:///{path}/regcore.db"}
    settings = Settings(**{"data_dir": tmp_path, name: values.get(name, path)})

    with pytest.raises(SettingsError, match=f"^REGCORE_{name.upper()}[^:]*: expected a folder that can be") as raised:
        check_folders(settings)

    assert fault in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_a_folder_where_this_user_may_not_write_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: mode & os.W_OK == 0)  # root may write everywhere

    with pytest.raises(SettingsError, match="where this user may not write"):
        check_folders(Settings(data_dir=tmp_path / "made later"))


def test_folders_that_can_be_made_are_not_made(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    check_folders(Settings(data_dir=tmp_path / "link" / "a" / "b"))

    assert list((tmp_path / "real").iterdir()) == []


def test_a_file_of_ours_is_closed_to_others(tmp_path: Path) -> None:
    file = a_file(tmp_path)
    file.chmod(0o664)

    make_private(file)
    make_private(tmp_path / "not there")

    assert file.stat().st_mode & 0o777 == 0o600
