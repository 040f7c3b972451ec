"""A trial, as the pages and the picture of `regcore try` show it."""

from collections.abc import Callable
from typing import Any

import pytest

from regclient.display.variant_outcomes import Score, Trial, VariantOutcome


def _outcome(name: str, loss: float, change: float, verdict: str, **more: Any) -> VariantOutcome:
    fields: dict[str, Any] = {
        "p_value": 0.02,
        "scores": {"accuracy": Score(0.8, 0.7, 0.9)},
        "values": {},
        "num_seeds": 5,
        "beats_constant": name != "constant",
    }
    difference = Score(change, change - 0.05, change + 0.05)
    return VariantOutcome(
        name=name,
        verdict=verdict,
        difference=difference,
        loss=Score(loss, loss - 0.1, loss + 0.1),
        **{**fields, **more},
    )


@pytest.fixture(name="outcome_of")
def _outcome_of() -> Callable[..., VariantOutcome]:
    return _outcome


@pytest.fixture
def trial() -> Trial:
    """Dropout helps, L1 does not, L2 hurts."""
    return Trial(
        "test/loss",
        [
            _outcome("dropout", 0.4, -0.1, "helps", values={"/regularizers/0/p": 0.35}),
            _outcome("linear", 0.5, 0.02, "no_measurable_effect", values={"/regularizers/0/strength": 0.01}),
            _outcome("l1", 0.5, 0.01, "no_measurable_effect"),
            VariantOutcome(
                "nothing", "no_measurable_effect", Score(), None, Score(0.5, 0.4, 0.6), {}, {}, 5, beats_constant=True
            ),
            _outcome("l2", 0.7, 0.2, "hurts"),
            _outcome("constant", 1.0, 0.5, "hurts", scores={"accuracy": Score(0.6, 0.6, 0.6)}),
        ],
        against_linear="helps",
    )
