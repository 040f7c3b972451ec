import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.incoming import Incoming, sync_folder


@pytest.fixture(params=["nameless", "named"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on a file system that has files without a name, and on one that has not."""
    if request.param == "named":
        real = os.open

        def refuse(path: Any, flags: int, *more: Any) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "Operation not supported")
            return real(path, flags, *more)

        monkeypatch.setattr(os, "open", refuse)
    return tmp_path / "files"


def _files(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def test_what_is_kept_has_the_bytes_that_were_written(folder: Path) -> None:
    content = os.urandom(300_000)

    with Incoming(folder) as incoming:
        for start in range(0, len(content), 70_000):
            incoming.write(content[start : start + 70_000])
        kept = incoming.keep(lambda sha256: folder / "ab" / sha256)

    assert incoming.sha256 == hashlib.sha256(content).hexdigest()
    assert incoming.size_bytes == len(content)
    assert kept.read_bytes() == content
    assert kept.stat().st_mode & 0o777 == 0o600
    assert _files(folder) == [Path("ab", incoming.sha256)]


def test_a_file_of_the_same_name_is_replaced_by_a_young_one(folder: Path) -> None:
    for number in range(2):
        with Incoming(folder) as incoming:
            incoming.write(bytes([number]))
            kept = incoming.keep(lambda _: folder / "x" / "same")
        os.utime(kept, (1, 1)) if number == 0 else None

    assert kept.read_bytes() == b"\x01"
    assert kept.stat().st_mtime > 1
    assert _files(folder) == [Path("x", "same")]


@pytest.mark.parametrize("failure", ["not kept", "an error", "no place"])
def test_what_is_not_kept_leaves_nothing(folder: Path, failure: str) -> None:
    def nowhere(sha256: str) -> Path:
        raise ValueError(sha256)

    try:
        with Incoming(folder) as incoming:
            incoming.write(b"x")
            if failure == "an error":
                raise ValueError
            if failure == "no place":
                incoming.keep(nowhere)
    except ValueError:
        assert failure != "not kept"

    assert _files(folder) == []


def test_a_killed_process_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from jobs.incoming import Incoming\n"
        "incoming = Incoming(Path(sys.argv[1])); incoming.write(b'x' * 1_000_000); os.kill(os.getpid(), signal.SIGKILL)"
    )

    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "files")], check=False)

    assert done.returncode == -signal.SIGKILL
    assert _files(tmp_path / "files") == []


def test_an_error_of_the_disk_is_passed_on(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(NotADirectoryError):
        Incoming(tmp_path / "file" / "folder")


def test_a_folder_is_forced_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: forced.append(os.readlink(f"/proc/self/fd/{descriptor}")))

    sync_folder(tmp_path)

    assert forced == [str(tmp_path)]
