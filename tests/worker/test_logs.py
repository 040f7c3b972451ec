import json
import logging

import pytest
from structlog.contextvars import bound_contextvars

from worker.logs import configure_logging, get_logger


@pytest.fixture(autouse=True)
def _restore_root():
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def test_each_line_is_json_with_the_job_whoever_logs(capsys):
    configure_logging("info")

    with bound_contextvars(job_id="job_1"):
        get_logger("worker.test").info("claimed", slot=0)
        logging.getLogger("celery.worker").warning("lost %s", "Redis")
        logging.getLogger("celery.worker").debug("not shown")

    ours, theirs = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (ours["event"], ours["slot"], ours["job_id"], ours["level"]) == ("claimed", 0, "job_1", "info")
    assert (theirs["event"], theirs["job_id"], theirs["level"]) == ("lost Redis", "job_1", "warning")


def test_a_traceback_is_a_field(capsys):
    configure_logging("info")

    try:
        raise RuntimeError("boom")
    except RuntimeError:
        get_logger("worker.test").exception("failed")

    assert "RuntimeError: boom" in json.loads(capsys.readouterr().err)["exception"]
