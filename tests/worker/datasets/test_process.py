"""The child from outside, with real processes that follow a script: their limits, their ends and their answers."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from supervising import wait_for

from worker.datasets.confinement import Confinement
from worker.datasets.process import Died, Parsed, ParserProcess, Refused
from worker.datasets.request import EXIT_DISK_FULL
from worker.environment import parser_environment
from worker.supervise.orphans import adopt_orphans, collect_orphans

SCRIPTED = (sys.executable, str(Path(__file__).with_name("scripted_parser.py")))
LIMITS = Confinement(memory_bytes=500 << 20, cpu_s=1, file_bytes=10 << 20)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., ParserProcess]]:
    """Start a child that does what the script says."""
    children: list[ParserProcess] = []

    def start(script: str, name: str = "rows.csv") -> ParserProcess:
        raw = tmp_path / "0af3"
        raw.write_text(script, "utf-8")
        child = ParserProcess(
            tmp_path / "scratch",
            raw,
            name,
            format="csv",
            header="auto",
            confinement=LIMITS,
            environment=parser_environment(os.environ, 1),
            program=SCRIPTED,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.close()


def test_what_was_read_is_there_until_the_child_is_closed(start: Callable[..., ParserProcess], tmp_path: Path) -> None:
    child = start("ready")

    answer = child.answer()
    assert isinstance(answer, Parsed)
    found = (answer.table.read_bytes(), answer.facts["num_rows"], answer.preview)
    child.close()

    assert found == (b"a table", 1, {"columns": ["a"], "rows": [[1]]})
    assert [path.name for path in tmp_path.iterdir()] == ["0af3"]


def test_a_refusal_names_the_file_as_its_owner_does(start: Callable[..., ParserProcess]) -> None:
    answer = start("invalid", "räume 🙂.csv").answer()

    assert isinstance(answer, Refused)
    assert answer.reason["message"] == "Row 2 of räume 🙂.csv"
    assert answer.reason["details"] == {"row": 2}


@pytest.mark.parametrize(
    ("script", "returncode", "words"),
    [
        ("killed", -9, ""),
        ("traceback", 1, "a fault of ours"),
        ("flood", 1, "File too large"),
        ("disk-full", EXIT_DISK_FULL, ""),
        ("link", 0, "the table is no file"),
        ("no-facts", 0, "num_rows"),
        ("endless-answer", 0, "Too many levels of symbolic links"),
    ],
)
def test_a_child_without_an_answer_that_can_be_used_has_died(
    start: Callable[..., ParserProcess], script: str, returncode: int, words: str
) -> None:
    answer = start(script).answer()

    assert isinstance(answer, Died)
    assert answer.returncode == returncode
    assert words in answer.tail


def test_a_child_that_still_reads_can_be_killed(start: Callable[..., ParserProcess], tmp_path: Path) -> None:
    child = start("sleep")

    still_reads = not child.wait(0.05)
    child.close()

    assert still_reads
    assert child.wait(0)
    assert not (tmp_path / "scratch").exists()


def test_no_credential_reaches_the_child(
    start: Callable[..., ParserProcess], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REGCORE_DATABASE_URL", "postgresql://user:password@host/name")

    answer = start("environment").answer()

    assert isinstance(answer, Refused)
    assert "PATH" in answer.reason["details"]
    assert answer.reason["details"]["TMPDIR"] == str(tmp_path / "scratch")
    assert not [name for name in answer.reason["details"] if name.startswith("REGCORE_")]


def test_a_worker_that_collects_orphans_leaves_the_childs_end_to_who_waits_for_it(
    start: Callable[..., ParserProcess],
) -> None:
    adopt_orphans(True)
    child = start("killed")
    wait_for(lambda: Path(f"/proc/{child.pid}/stat").read_text().split()[2] == "Z")

    collect_orphans(set())
    time.sleep(0.05)
    adopt_orphans(False)

    answer = child.answer()
    assert isinstance(answer, Died)
    assert answer.returncode == -9
