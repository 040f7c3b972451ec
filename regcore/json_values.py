"""JSON values: what a script's values are as JSON, and which of them say the same."""

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

_MAX_LEVELS: Final = 50
_UNREADABLE: Final = (ArithmeticError, RuntimeError, TypeError, ValueError)
"""What values raise that have no plain form, RecursionError and NotImplementedError among them."""


def plain(value: Any) -> Any:
    """The value with NumPy's and other libraries' numbers, arrays and tuples as Python's numbers and lists.

    What has `tolist` is asked for it: arrays, tensors and scalars of NumPy, torch and pandas. Else what has `__index__`
    is a whole number and what has `__float__` a number. All else, strings and booleans too, stays what it is, for the
    spec to accept or refuse: so does what fails to say what it is, such as a number beyond all floats, a tensor without
    values or lists nested too deeply. What JSON can say comes out as it went in.
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
    """How values of this type are read; None where they are taken as they are."""
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
    return float(listed) if type(listed) is type(value) else plain(listed)  # a long double is its own list


def whole(value: Any) -> Any:
    """32.0 as 32, alone or in a list: JSON Schema's `integer` is a number without a fraction. All else as it is."""
    if isinstance(value, list):
        return [part if isinstance(part, list) else whole(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def checked(value: Any) -> Any:
    """The value itself, if it is JSON that anything can be done with; for fields that take any.

    Raises:
        ValueError: It is none, or nested more deeply than any spec.
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
    """The same for equal JSON: 1 and 1.0 are one number, and true is none."""
    if isinstance(value, dict):
        return {name: canonical(part) for name, part in value.items()}
    return [canonical(part) for part in value] if isinstance(value, list) else whole(value)
