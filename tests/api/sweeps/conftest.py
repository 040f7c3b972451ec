from collections.abc import Callable
from typing import Any

import pytest

from jobs.model import SweepMember
from jobs.states import JobState
from regcore.study.sweep import parse_sweep

STRENGTH = "/regularizers/0/strength"


@pytest.fixture(name="member")
def _member() -> Callable[..., SweepMember]:
    """Makes a member of a sweep over one axis, with its objective."""

    def make(candidate: str, seed: int, objective: float | None, state: JobState = JobState.SUCCEEDED) -> SweepMember:
        result = None if objective is None else {"metrics": {"validation/loss": objective}}
        values = {STRENGTH: float(candidate)}
        return SweepMember(f"job_{candidate}_{seed}", state, candidate, None, values, seed, objective, result)

    return make


@pytest.fixture
def along_an_axis(spec: dict[str, Any]) -> Any:
    """The spec of a sweep over one axis, with two seeds."""
    return parse_sweep({"base": spec, "axes": [{"pointer": STRENGTH, "values": [1, 2, 3]}], "seeds": [0, 1]})
