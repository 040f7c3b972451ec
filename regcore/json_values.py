"""JSON values: what a script's values are as JSON, and which of them say the same."""

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any


def plain(value: Any) -> Any:
    """The value with NumPy's and other libraries' numbers, arrays and tuples as Python's numbers and lists.

    What has `tolist` is asked for it: arrays, tensors and scalars of NumPy, torch and pandas. Else what has `__index__`
    is a whole number and what has `__float__` a number. All else, strings and booleans too, stays what it is, for the
    spec to accept or refuse. What JSON can say comes out as it went in.
    """
    read = _reader(type(value))  # type: ignore[arg-type] # mypy takes object's __hash__ for that of its class
    return value if read is None else read(value)


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
        return [whole(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def canonical(value: Any) -> Any:
    """The same for equal JSON: 1 and 1.0 are one number, and true is none."""
    if isinstance(value, dict):
        return {name: canonical(part) for name, part in value.items()}
    return [canonical(part) for part in value] if isinstance(value, list) else whole(value)
