"""JSON values: Python values as JSON, and equality of JSON."""

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

_MAX_LEVELS: Final = 50
_UNREADABLE: Final = (ArithmeticError, RuntimeError, TypeError, ValueError)
"""Errors of values that cannot become plain; they include RecursionError and NotImplementedError."""


def plain(value: Any) -> Any:
    """The value with NumPy's and other libraries' numbers, arrays and tuples as Python's numbers and lists.

    `tolist` is called where there is one: arrays, tensors and scalars of NumPy, torch and pandas. Otherwise a value
    with `__index__` is a whole number, and one with `__float__` a number. Everything else, strings and booleans
    included, stays as it is, and the spec accepts or refuses it. So do values whose conversion fails: a number beyond
    all floats, a tensor without values, lists nested too deeply. JSON values are returned unchanged.
    """
    read = _reader(type(value))  # type: ignore[arg-type] # mypy takes object's __hash__ for that of its class
    if read is None:
        return value
    try:
        return read(value)
    except _UNREADABLE:
        return value


@cache
def _reader(kind: type) -> Callable[[Any], Any] | None:
    """How values of this type are converted; None if they stay as they are."""
    if issubclass(kind, str | bytes | bool) or kind in (int, float):
        return None
    if issubclass(kind, Mapping):
        return lambda mapping: {name: plain(part) for name, part in mapping.items()}
    if issubclass(kind, Sequence):
        return lambda sequence: [plain(part) for part in sequence]
    if hasattr(kind, "tolist"):
        return _listed
    if hasattr(kind, "__index__"):
        return operator.index
    return float if hasattr(kind, "__float__") else None


def _listed(value: Any) -> Any:
    listed = value.tolist()
    # the `tolist` of a long double returns the long double itself
    return float(listed) if type(listed) is type(value) else plain(listed)


def whole(value: Any) -> Any:
    """Return 32 for 32.0, also in a list: JSON Schema's `integer` is a number without a fraction. Other values stay."""
    if isinstance(value, list):
        return [part if isinstance(part, list) else whole(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def checked(value: Any) -> Any:
    """Return the value after a check that it is JSON; for fields that take any JSON.

    Raises:
        ValueError: It is not JSON, or is nested more deeply than any spec.
    """
    level = [value]
    for _ in range(_MAX_LEVELS):
        for part in level:
            if not (part is None or isinstance(part, str | int | float | list | dict)):
                raise ValueError(
                    f"must be JSON; received a {type(part).__name__}. Write it as a number, text or a list"
                )
            if isinstance(part, dict) and not all(isinstance(name, str) for name in part):
                raise ValueError("must be JSON, where names are text. Put the names of its objects in quotes")
        level = [
            inner
            for part in level
            if isinstance(part, list | dict)
            for inner in (part.values() if isinstance(part, dict) else part)
        ]
        if not level:
            return value
    raise ValueError(f"must be nested at most {_MAX_LEVELS} levels deep. Take away what is around the value")


def canonical(value: Any) -> Any:
    """A key that is the same for equal JSON: 1 and 1.0 are equal, and true is not a number."""
    if isinstance(value, dict):
        return {name: canonical(part) for name, part in value.items()}
    return [canonical(part) for part in value] if isinstance(value, list) else whole(value)
