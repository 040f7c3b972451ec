"""A base, and sweeps of it."""

from collections.abc import Callable
from typing import Any

import pytest

from regcore.plan import make_plan
from regcore.spec import parse_spec


@pytest.fixture
def base() -> dict[str, Any]:
    """A job spec with two regularizers."""
    return {
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "mlp", "hidden": [8]},
        "regularizers": [{"kind": "l1", "strength": 1e-4}, {"kind": "dropout", "p": 0.5}],
        "training": {"epochs": 9},
    }


@pytest.fixture
def resolved(base: dict[str, Any]) -> dict[str, Any]:
    """The base with every default."""
    return make_plan(parse_spec(base)).resolved_spec.model_dump(mode="json")


@pytest.fixture
def sweep(base: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """Makes sweeps of the base."""
    return lambda **fields: {"base": base, **fields}
