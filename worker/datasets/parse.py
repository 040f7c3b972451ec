"""The child process that reads one uploaded file: `python -m worker.datasets.parse REQUEST`.

It knows no store, no key and no network, is held to hard limits, and leaves its answer in its working directory. The
worker (`worker.datasets.process`) believes nothing that it has not checked itself.
"""

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

import duckdb
import setproctitle

from regcore.data.tables.limits import Limits
from regcore.data.tables.read import read_file
from regcore.data.tables.table import write_table
from regcore.errors import OutOfMemoryError, TrainingError
from worker.datasets.confinement import Confinement, confine
from worker.datasets.preview import preview_of
from worker.datasets.request import ANSWER, EXIT_DISK_FULL, TABLE, Request


def main() -> None:
    """Read the file that the argument describes."""
    setproctitle.setproctitle("regcore-parser")
    request = Request.from_json(sys.argv[1])
    confine(request.confinement, request.parent_pid)
    _write_answer(find_answer(request))
    os._exit(os.EX_OK)  # at once: the interpreter's end would free a large table piece by piece


def find_answer(request: Request) -> dict[str, Any]:
    """Read the file, and write its table; returns its facts and first rows, or the reason why it cannot be read."""
    try:
        table = read_file(
            Path(request.path),
            format=request.format,
            header=request.header,
            limits=Limits(max_duckdb_bytes=request.confinement.memory_bytes // 2),
            name=request.name,
        )
        write_table(Path(TABLE), table)
        return {"facts": table.facts.model_dump(mode="json"), "preview": preview_of(table)}
    except (OutOfMemoryError, MemoryError, duckdb.OutOfMemoryException):
        return {"reason": _too_large(request.confinement)}
    except TrainingError as error:
        return {"reason": error.reason()}
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            sys.exit(EXIT_DISK_FULL)
        raise


def _too_large(confinement: Confinement) -> dict[str, Any]:
    memory_bytes = confinement.memory_bytes
    return OutOfMemoryError(
        f"Reading the file takes more than the {memory_bytes:,} bytes of memory that a reader may use.",
        remedy="Upload fewer rows or columns, or the same table as Parquet; or ask the operator to raise "
        "REGCORE_PARSER_MEMORY_BYTES.",
        details={"parser_memory_bytes": memory_bytes},
    ).reason()


def _write_answer(answer: dict[str, Any]) -> None:
    unfinished = Path(f"{ANSWER}.new")
    unfinished.write_text(json.dumps(answer, allow_nan=False), "utf-8")
    unfinished.rename(ANSWER)


if __name__ == "__main__":
    main()
