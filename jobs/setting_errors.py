"""Messages about settings that cannot be used: one line each, with the variable, what was expected and received."""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from jobs.logs import redact_text
from jobs.variables import PREFIX

_OPTIONS = {"host": "--host", "port": "--port", "data_dir": "--data-dir", "slots": "--slots"}
"""Settings that also have an option on the command line, which sets the variable."""
_NUMBERS = {"integer": "a whole number", "number": "a number"}


def setting_error(name: str, wanted: str, received: str, *, in_file: bool = False) -> str:
    """Return the line about one setting.

    Args:
        name: The setting's name in lower case.
        wanted: Begins with `expected`.
        received: The received value, in a form that may be shown.
        in_file: Whether the value came from the file of ``REGCORE_X_FILE``.
    """
    option = f" or {_OPTIONS[name]}" if name in _OPTIONS else ""
    return f"{PREFIX}{name.upper()}{'_FILE' * in_file}{option}: {wanted}; received {received}."


def explain_settings(
    error: ValidationError, schema: dict[str, Any], secrets: Collection[str], files: Collection[str]
) -> list[str]:
    """Return a line for each setting that pydantic refuses.

    Args:
        error: Pydantic's errors; there are several for a union.
        schema: The settings' JSON schema.
        secrets: Settings whose values are not shown.
        files: Settings that came from files.
    """
    # The default of a setting may depend on another one, which has its own error.
    wrong = {str(one["loc"][0]): one for one in error.errors() if one["type"] != "default_factory_not_called"}
    return [
        setting_error(
            name,
            _wanted(one, schema["properties"][name]),
            _shown(one["input"], hide=name in secrets),
            in_file=name in files,
        )
        for name, one in wrong.items()
    ]


def explain_quotes(values: Mapping[str, str], secrets: Collection[str]) -> list[str]:
    """Return a line for each value in quotes. A shell removes quotes, but an env file keeps them."""
    wanted = "expected the value without quotes around it"
    return [
        setting_error(name, wanted, _shown(value, hide=name in secrets))
        for name, value in values.items()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" and name != "server_secret"
    ]


def _wanted(error: Any, schema: dict[str, Any]) -> str:
    if error["type"] == "value_error":  # from our own validators, whose messages begin with `expected …`
        return str(error["ctx"]["error"])
    return (
        f"expected {' or '.join(_described(one) for one in schema.get('anyOf', [schema]) if one != {'type': 'null'})}"
    )


def _described(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if "const" in schema:
        return str(schema["const"])
    if schema["type"] == "boolean":
        return "true or false"
    if schema["type"] in _NUMBERS:
        return _NUMBERS[schema["type"]] + _bounds(schema)
    return f"text of at least {schema.get('minLength', 1)} characters"


def _bounds(schema: dict[str, Any]) -> str:
    above = schema.get("exclusiveMinimum")
    lowest = f" above {above:,}" if above is not None else f" from {schema['minimum']:,}"
    return lowest + (f" to {schema['maximum']:,}" if "maximum" in schema else " on")


def _shown(value: object, *, hide: bool) -> str:
    return "a value that is not shown here" if hide else redact_text(f"{str(value)!r:.200}")
