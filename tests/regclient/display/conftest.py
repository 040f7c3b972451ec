"""A trial, as the pages and the picture of `regcore try` show it."""

from collections.abc import Callable
from typing import Any

import pytest

from regclient.display.variant_verdicts import Score, Trial, VariantVerdict


def _verdict(name: str, loss: float, change: float, verdict: str, **more: Any) -> VariantVerdict:
    fields: dict[str, Any] = {
        "p_value": 0.02,
        "scores": {"accuracy": Score(0.8, 0.7, 0.9)},
        "values": {},
        "num_seeds": 5,
        "beats_constant": name != "constant",
    }
    difference = Score(change, change - 0.05, change + 0.05)
    return VariantVerdict(
        name=name,
        verdict=verdict,
        difference=difference,
        loss=Score(loss, loss - 0.1, loss + 0.1),
        **{**fields, **more},
    )


@pytest.fixture(name="verdict_of")
def _verdict_of() -> Callable[..., VariantVerdict]:
    return _verdict


@pytest.fixture
def trial() -> Trial:
    """Dropout helps, L1 does not, L2 hurts."""
    return Trial(
        "test/loss",
        [
            _verdict("dropout", 0.4, -0.1, "helps", values={"/regularizers/0/p": 0.35}),
            _verdict("linear", 0.5, 0.02, "no_measurable_effect", values={"/regularizers/0/strength": 0.01}),
            _verdict("l1", 0.5, 0.01, "no_measurable_effect"),
            VariantVerdict(
                "nothing", "no_measurable_effect", Score(), None, Score(0.5, 0.4, 0.6), {}, {}, 5, beats_constant=True
            ),
            _verdict("l2", 0.7, 0.2, "hurts"),
            _verdict("constant", 1.0, 0.5, "hurts", scores={"accuracy": Score(0.6, 0.6, 0.6)}),
        ],
        against_linear="helps",
    )
