import io
from pathlib import Path

import pytest

from regclient.display.terminal import Console
from regclient.display.upload_progress import upload_progress

DATASET = {"id": "ds_" + "0" * 26, "name": "rows.csv", "state": "validating"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn_on(file: io.StringIO, path: Path, *, progress: bool = True) -> str:
    """What an upload of a file draws."""
    console = Console(file=file, width=100, force_terminal=file.isatty(), color_system=None)
    with upload_progress(progress, console=console) as bar:
        bar.reading(str(path))(path.stat().st_size)
        sent = bar.sending(path.stat().st_size)
        sent(2_000_000)
        bar._progress.refresh()
        bar.show_state(DATASET)
        bar._progress.refresh()
    return file.getvalue()


@pytest.fixture
def rows_csv(tmp_path: Path) -> Path:
    path = tmp_path / "rows [red].csv"
    path.write_bytes(b"1,2\n" * 1_000_000)
    return path


def test_a_terminal_shows_what_is_done_and_how_far_it_is(rows_csv: Path) -> None:
    text = drawn_on(Terminal(), rows_csv)

    assert "rows [red].csv  sending" in text
    assert "2.0/4.0 MB" in text
    assert "rows.csv  validating" in text


@pytest.mark.parametrize("progress", [True, False])
def test_nothing_is_drawn_without_a_terminal_or_if_it_is_not_wanted(rows_csv: Path, progress: bool) -> None:
    assert drawn_on(io.StringIO() if progress else Terminal(), rows_csv, progress=progress) == ""


def test_a_file_that_is_not_there_is_left_to_who_opens_it(tmp_path: Path) -> None:
    with upload_progress(False) as bar:
        bar.reading(str(tmp_path / "nothing.csv"))(1)
        bar.reading(None)(1)
        bar.reading("a\0b")(1)
