import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from regcore.data.files.entry import Entry


@pytest.fixture
def zipped(tmp_path: Path) -> Callable[..., Path]:
    """An archive of these files; names are written as they are given."""

    def write(files: dict[str, bytes] | Iterable[tuple[zipfile.ZipInfo, bytes]]) -> Path:
        path = tmp_path / "set.zip"
        items = files.items() if isinstance(files, dict) else files
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in items:
                archive.writestr(name, content)
        return path

    return write


@pytest.fixture
def entries() -> Callable[..., list[Entry]]:
    """Entries of these paths, each with one byte."""
    return lambda *paths: [Entry(path, 1, lambda: b"x") for path in paths]
