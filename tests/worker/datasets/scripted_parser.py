"""Stands in for the child that reads files, where a test needs one that misbehaves: the file's text is a script."""

import json
import os
import signal
import sys
import time
from pathlib import Path

from worker.datasets.confinement import confine
from worker.datasets.request import ANSWER, EXIT_DISK_FULL, TABLE, Request

FACTS = {"format": "csv", "num_rows": 1, "columns": []}
PREVIEW = {"columns": ["a"], "rows": [[1]]}
REASON = {"code": "invalid_data", "message": "Row 2", "remedy": "Mend it.", "retryable": False, "details": {"row": 2}}


def main() -> None:
    request = Request.from_json(sys.argv[1])
    confine(request.confinement, request.parent_pid)
    for word in Path(request.path).read_text("utf-8").split():
        perform(word, request.name)


def perform(word: str, name: str) -> None:
    match word:
        case "ready":
            Path(TABLE).write_bytes(b"a table")
            answer({"facts": FACTS, "preview": PREVIEW})
        case "invalid":
            answer({"reason": {**REASON, "message": f"Row 2 of {name}"}})
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "killed-once":
            mark = Path("..", "was-here")
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        case "disk-full":
            sys.exit(EXIT_DISK_FULL)
        case "traceback":
            raise RuntimeError("a fault of ours")
        case "sleep":
            time.sleep(600)
        case "flood":
            with Path("flood").open("wb") as file:
                while True:
                    file.write(bytes(1 << 20))
        case "link":
            Path(TABLE).symlink_to("/etc/passwd")
            answer({"facts": FACTS, "preview": PREVIEW})
        case "no-facts":
            Path(TABLE).write_bytes(b"a table")
            answer({"facts": {"num_rows": "many"}, "preview": PREVIEW})
        case "endless-answer":
            Path(ANSWER).symlink_to("/dev/zero")
        case "environment":
            answer({"reason": {**REASON, "details": dict(os.environ)}})
        case _:
            raise ValueError(word)


def answer(content: dict[str, object]) -> None:
    Path(ANSWER).write_text(json.dumps(content), "utf-8")


if __name__ == "__main__":
    main()
