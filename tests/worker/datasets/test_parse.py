"""The real child, from outside: what it reads, and what its limits make of files that want too much."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

import worker.datasets.parse
from regcore.data.tables.table import read_table
from regcore.errors import OutOfMemoryError
from worker.datasets.confinement import Confinement
from worker.datasets.parse import find_answer
from worker.datasets.process import PROGRAM, Died, Parsed, ParserProcess, Refused
from worker.datasets.request import EXIT_DISK_FULL, Request
from worker.environment import parser_environment

LIMITS = Confinement(memory_bytes=500 << 20, cpu_s=60, file_bytes=10 << 20)
ROWS = [{"age": age, "joined": f"2024-03-{age % 28 + 1:02}", "plan": "abc"[age % 3]} for age in range(90)]


@pytest.fixture
def parse(tmp_path: Path) -> Iterator[Callable[..., Parsed | Refused | Died]]:
    """Let a child read a file to its end; its folder is there until the end of the test."""
    children: list[ParserProcess] = []

    def parse(content: bytes, name: str, program: tuple[str, ...] = PROGRAM) -> Parsed | Refused | Died:
        raw = tmp_path / "0af3"
        raw.write_bytes(content)
        child = ParserProcess(
            tmp_path / "scratch",
            raw,
            name,
            format=None,
            header="auto",
            confinement=LIMITS,
            environment=parser_environment(os.environ, 1),
            program=program,
        )
        children.append(child)
        return child.answer()

    yield parse
    for child in children:
        child.close()


def reading(code: str) -> tuple[str, ...]:
    """The child, but its reader does this."""
    return sys.executable, "-c", f"import worker.datasets.parse as parse\n{code}\nparse.read_file = read\nparse.main()"


def test_a_file_becomes_a_table_facts_and_a_preview(parse: Callable[..., Parsed | Refused | Died]) -> None:
    answer = parse("".join(f"{json.dumps(row)}\n" for row in ROWS).encode(), "people.jsonl")

    assert isinstance(answer, Parsed)
    table = read_table(answer.table)
    assert table.columns.num_rows == answer.facts["num_rows"] == 90
    assert table.facts.model_dump(mode="json") == answer.facts
    assert {column["name"]: column["type"] for column in answer.facts["columns"]} == {
        "age": "number",
        "joined": "date",
        "plan": "category",
    }
    assert answer.preview["rows"][:2] == [[0, "2024-03-01", "a"], [1, "2024-03-02", "b"]]


def test_a_file_that_cannot_be_read_is_refused_by_its_own_name(parse: Callable[..., Parsed | Refused | Died]) -> None:
    answer = parse(b'{"a": 1}\n{"a": \n', "people.jsonl")

    assert isinstance(answer, Refused)
    assert answer.reason["code"] == "invalid_data"
    assert answer.reason["message"].startswith("people.jsonl")
    assert answer.reason["details"]["line"] == 2


@pytest.mark.parametrize(
    "code",
    [
        "def read(*_, **__): return bytearray(600 << 20)",
        "import pyarrow\ndef read(*_, **__): return pyarrow.allocate_buffer(600 << 20)",
    ],
    ids=["python", "arrow"],
)
def test_a_file_that_wants_more_memory_than_a_reader_may_take_says_so(
    parse: Callable[..., Parsed | Refused | Died], code: str
) -> None:
    answer = parse(b"", "large.csv", reading(code))

    assert isinstance(answer, Refused)
    assert answer.reason["code"] == "out_of_memory"
    assert "524,288,000 bytes" in answer.reason["message"]
    assert "REGCORE_PARSER_MEMORY_BYTES" in answer.reason["remedy"]


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], dict[str, Any]]:
    """Have the reader fail, in this process; returns the answer."""

    def fail(error: Exception) -> dict[str, Any]:
        def read_file(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(worker.datasets.parse, "read_file", read_file)
        return find_answer(Request("/0af3", "rows.csv", None, "auto", LIMITS, os.getpid()))

    return fail


@pytest.mark.parametrize(
    "error", [MemoryError(), duckdb.OutOfMemoryException("full"), OutOfMemoryError("full")], ids=str
)
def test_each_librarys_word_for_too_little_memory_is_understood(
    fail: Callable[[Exception], dict[str, Any]], error: Exception
) -> None:
    assert fail(error)["reason"]["code"] == "out_of_memory"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_is_full_is_not_the_files_fault(fail: Callable[[Exception], dict[str, Any]], number: int) -> None:
    with pytest.raises(SystemExit) as ended:
        fail(OSError(number, "it is full"))

    assert ended.value.code == EXIT_DISK_FULL


def test_a_fault_of_ours_is_no_answer(fail: Callable[[Exception], dict[str, Any]]) -> None:
    with pytest.raises(OSError, match="it fails"):
        fail(OSError(errno.EIO, "it fails"))


def test_it_loads_neither_torch_nor_a_database() -> None:
    code = "import sys, worker.datasets.parse; print({'torch', 'sklearn', 'sqlalchemy', 'celery'} & sys.modules.keys())"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "set()"
