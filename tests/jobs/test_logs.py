import json
import subprocess
import sys

from api.logs import REDACTED, redact
from jobs.keys import Token


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
        "import logging; from api.logs import configure_logging, get_logger; configure_logging('info');"
        "get_logger('ours').info('hello', job_id='job_1'); logging.getLogger('theirs').warning('x %s', 1);"
        "get_logger('ours').debug('hidden')"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)

    ours, theirs = (json.loads(line) for line in done.stderr.splitlines())
    assert (ours["event"], ours["job_id"], ours["level"], ours["logger"]) == ("hello", "job_1", "info", "ours")
    assert theirs["event"] == "x 1"
