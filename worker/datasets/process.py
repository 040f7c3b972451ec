"""The process that reads a file, as the worker sees it: started, watched, killed, and its answer checked."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from regcore.data.tables.facts import TableFacts
from worker.datasets.confinement import Confinement
from worker.datasets.request import ANSWER, TABLE, Header, Request

PROGRAM = (sys.executable, "-P", "-m", "worker.datasets.parse")
_OUTPUT = "output.txt"
_MAX_ANSWER_BYTES = 128 << 20
_MAX_TAIL_BYTES = 2_000


@dataclass(frozen=True)
class Parsed:
    """A file that was read.

    Attributes:
        table: The table's own file, in the child's folder.
        facts: The table's facts, as JSON.
        preview: The first rows.
    """

    table: Path
    facts: dict[str, Any]
    preview: dict[str, Any]


@dataclass(frozen=True)
class Refused:
    """A file that cannot be read, with the reason for its owner."""

    reason: dict[str, Any]


@dataclass(frozen=True)
class Died:
    """A child that ended without an answer that can be used.

    Attributes:
        returncode: Minus the signal's number, or the exit status.
        tail: The end of what it printed, for the operator.
    """

    returncode: int
    tail: str


class ParserProcess:
    """One child that reads one file in a folder of its own, which is there until `close`.

    Args:
        folder: Of the child; made here.
        raw: The uploaded file.
        name: What its owner calls it; messages name the file so.
        format: Its media type, as far as the uploader said one.
        header: Whether the first row of a CSV file holds names.
        confinement: The child's limits.
        environment: The child's; temporary files go into its folder.
        program: What is started.
    """

    def __init__(
        self,
        folder: Path,
        raw: Path,
        name: str,
        *,
        format: str | None,
        header: Header,
        confinement: Confinement,
        environment: Mapping[str, str],
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self._folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        request = Request(str(raw.absolute()), name, format, header, confinement, os.getpid())
        with contextlib.ExitStack() as on_error, (folder / _OUTPUT).open("xb") as output:
            on_error.callback(shutil.rmtree, folder, ignore_errors=True)
            self._process = subprocess.Popen(
                [*program, request.to_json()],
                cwd=folder,
                env={**environment, "TMPDIR": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # A group of its own: Ctrl-C at the terminal, or a signal to the worker's group, must not reach it. Not
                # a session of its own, whose ended processes the worker takes for orphans and collects.
                process_group=0,
            )
            on_error.pop_all()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; false if it still reads."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def answer(self) -> Parsed | Refused | Died:
        """What it has found, once it has ended."""
        returncode = self._process.wait()
        if returncode != os.EX_OK:
            return Died(returncode, self._tail())
        try:
            return self._checked_answer()
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
            return Died(returncode, f"Its answer cannot be used: {error}"[:_MAX_TAIL_BYTES])

    def close(self) -> None:
        """Kill it, with what it started, and delete its folder."""
        with contextlib.suppress(ProcessLookupError):  # it has ended
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _checked_answer(self) -> Parsed | Refused:
        answer = json.loads(_read_own(self._folder / ANSWER, _MAX_ANSWER_BYTES))
        if "reason" in answer:
            reason = answer["reason"]
            return Refused({key: reason[key] for key in ("code", "message", "remedy", "retryable", "details")})
        facts = TableFacts.model_validate(answer["facts"]).model_dump(mode="json")
        table = self._folder / TABLE
        if table.is_symlink() or not table.is_file():
            raise ValueError("the table is no file")
        return Parsed(table, facts, {key: list(answer["preview"][key]) for key in ("columns", "rows")})

    def _tail(self) -> str:
        with (self._folder / _OUTPUT).open("rb") as output:
            output.seek(max(0, os.fstat(output.fileno()).st_size - _MAX_TAIL_BYTES))
            return output.read().decode(errors="replace")


def _read_own(path: Path, max_bytes: int) -> bytes:
    """Read a file of the child's, but follow no link, and not without end."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"it is longer than {max_bytes:,} bytes")
    return content
