import pytest
from pydantic import ValidationError

from jobs.errors import SettingsError
from jobs.setting_errors import explain_quotes, explain_settings, setting_error
from jobs.settings import SECRETS, VARIABLES, Settings, load_settings

WRONG = {
    "REGCORE_PORT=abc": "REGCORE_PORT or --port: expected a whole number from 0 to 65,535; received 'abc'.",
    "REGCORE_PORT=70000": "REGCORE_PORT or --port: expected a whole number from 0 to 65,535; received '70000'.",
    "REGCORE_PORT=http://10.96.0.12:8000": "REGCORE_PORT or --port: expected a whole number from 0 to 65,535; "
    "received 'http://10.96.0.12:8000'.",
    "REGCORE_SLOTS=0": "REGCORE_SLOTS or --slots: expected auto or a whole number from 1 to 256; received '0'.",
    "REGCORE_SLOTS=many": "REGCORE_SLOTS or --slots: expected auto or a whole number from 1 to 256; received 'many'.",
    "REGCORE_LEASE_S=abc": "REGCORE_LEASE_S: expected a number from 0.5 to 31,536,000; received 'abc'.",
    "REGCORE_LEASE_S=nan": "REGCORE_LEASE_S: expected a number from 0.5 to 31,536,000; received 'nan'.",
    "REGCORE_LEASE_S=inf": "REGCORE_LEASE_S: expected a number from 0.5 to 31,536,000; received 'inf'.",
    "REGCORE_RECONCILE_INTERVAL_S=0": "REGCORE_RECONCILE_INTERVAL_S: expected a number above 0 to 31,536,000; "
    "received '0'.",
    "REGCORE_KEEP_CHECKPOINTS_S=-1": "REGCORE_KEEP_CHECKPOINTS_S: expected a number from 0 on; received '-1'.",
    "REGCORE_ALLOW_DOWNLOADS=maybe": "REGCORE_ALLOW_DOWNLOADS: expected true or false; received 'maybe'.",
    "REGCORE_LOG_LEVEL=loud": "REGCORE_LOG_LEVEL: expected one of debug, info, warning, error; received 'loud'.",
    "REGCORE_HOST=http://0.0.0.0": "REGCORE_HOST or --host: expected an address or a name such as 127.0.0.1, :: or "
    "localhost, without a port; received 'http://0.0.0.0'.",
    "REGCORE_DATA_DIR=~nobody-of-this-name/x": "REGCORE_DATA_DIR or --data-dir: expected an absolute path, or one that "
    "begins in a folder that exists; received '~nobody-of-this-name/x'.",
    'REGCORE_POOL="gpu"': "REGCORE_POOL: expected the value without quotes around it; received '\"gpu\"'.",
    "REGCORE_PUBLIC_URL=ftp://user:sesame@host/": "REGCORE_PUBLIC_URL: expected https://host/path without a user or "
    "parameters; paths are put behind it; received 'ftp://user:[redacted]@host/'.",
    "REGCORE_SERVER_SECRET=sesame": "REGCORE_SERVER_SECRET: expected text of at least 32 characters; "
    "received a value that is not shown here.",
    "REGCORE_DATABASE_URL=postgresql://u:sesame@h:x/n": "REGCORE_DATABASE_URL: expected "
    "postgresql://user:password@host:port/name; in a password, write @ as %40, / as %2F and : as %3A; "
    "received a value that is not shown here.",
    "REGCORE_REDIS_URL=redis://:sesame@h:x/0": "REGCORE_REDIS_URL: expected redis://host:port/number or unix:///path; "
    "in a path or password, write ? as %3F and # as %23; received a value that is not shown here.",
    "REGCORE_REDIS_URL='redis://:sesame@h'": "REGCORE_REDIS_URL: expected the value without quotes around it; "
    "received a value that is not shown here.",
}


@pytest.mark.parametrize("given", WRONG)
def test_one_line_says_which_variable_what_is_wanted_and_what_came(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, _, value = given.partition("=")
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as raised:
        load_settings()

    assert str(raised.value) == WRONG[given]
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None or raised.value.__suppress_context__  # a traceback would show the value


def test_each_wrong_setting_gets_its_line_and_one_of_a_default_that_needs_it_none() -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(data_dir="~nobody-of-this-name", port="x")

    lines = explain_settings(raised.value, Settings.model_json_schema(), SECRETS, ())

    assert [line.split(" ", 1)[0] for line in lines] == ["REGCORE_DATA_DIR", "REGCORE_PORT"]


def test_a_value_from_a_file_is_named_by_the_variable_of_the_file() -> None:
    assert (
        setting_error("redis_url", "expected x", "y", in_file=True) == "REGCORE_REDIS_URL_FILE: expected x; received y."
    )


def test_quotes_within_a_value_and_those_of_the_servers_secret_are_its_own() -> None:
    assert explain_quotes({"pool": "a'b'", "server_secret": "'" + "s" * 32 + "'", "host": "'"}, SECRETS) == []


@pytest.mark.parametrize("name", VARIABLES)
def test_every_setting_can_be_explained(name: str) -> None:
    # An error that no setting gives, so that the wanted value comes from the schema alone.
    error = ValidationError.from_exception_data("Settings", [{"type": "string_type", "loc": (name,), "input": "x"}])

    (line,) = explain_settings(error, Settings.model_json_schema(), SECRETS, ())

    assert line.startswith(f"{VARIABLES[name]}")
    assert ": expected " in line
