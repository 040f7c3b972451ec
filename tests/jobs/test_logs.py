import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
from structlog.contextvars import bound_contextvars

from jobs.keys import Token
from jobs.logs import REDACTED, configure_logging, get_logger, redact


@pytest.fixture
def _restored_root() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def test_secrets_are_struck_out() -> None:
    token = str(Token.new())

    event = redact(
        None,
        "info",
        {
            "event": f"called with Bearer {token}",
            "authorization": "Basic abc",
            "url": "postgresql+psycopg://user:hunter2@db/name",
            "nested": {"api_key": "x", "list": [token]},
            "status": 200,
        },
    )

    shown = json.dumps(event)
    assert token not in shown
    assert token.split("_")[1] in shown, "the key's id stays: it says which key"
    assert "hunter2" not in shown
    assert (event["authorization"], event["nested"]["api_key"], event["status"]) == (REDACTED, REDACTED, 200)


def test_our_lines_and_the_libraries_are_json_on_stderr() -> None:
    code = (
        "import logging; from jobs.logs import configure_logging, get_logger; configure_logging('info');"
        "get_logger('ours').info('hello', job_id='job_1'); logging.getLogger('theirs').warning('x %s', 1);"
        "get_logger('ours').debug('hidden')"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)

    ours, theirs = (json.loads(line) for line in done.stderr.splitlines())
    assert (ours["event"], ours["job_id"], ours["level"], ours["logger"]) == ("hello", "job_1", "info", "ours")
    assert theirs["event"] == "x 1"


@pytest.mark.usefixtures("_restored_root")
def test_each_line_has_the_job_whoever_logs(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")

    with bound_contextvars(job_id="job_1"):
        get_logger("worker.test").info("claimed", slot=0)
        logging.getLogger("celery.worker").warning("lost %s", "Redis")
        logging.getLogger("celery.worker").debug("not shown")
    logging.getLogger("jobs.queue").warning("could not publish", extra={"job_id": "job_2"})

    ours, theirs, plain = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (ours["event"], ours["slot"], ours["job_id"], ours["level"]) == ("claimed", 0, "job_1", "info")
    assert (theirs["event"], theirs["job_id"], theirs["level"]) == ("lost Redis", "job_1", "warning")
    assert plain["job_id"] == "job_2"


@pytest.mark.usefixtures("_restored_root")
def test_a_traceback_is_a_field_with_its_secrets_struck_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")

    try:
        raise RuntimeError("cannot reach postgresql://user:hunter2@db/name")
    except RuntimeError:
        get_logger("worker.test").exception("failed")

    told = json.loads(capsys.readouterr().err)["exception"]
    assert "RuntimeError: cannot reach postgresql://user:[redacted]@db/name" in told
