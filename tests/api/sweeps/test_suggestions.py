from typing import Any

import pytest

from api.services import Services
from api.sweeps.suggestions import show, suggest
from regcore.errors import SpecError
from regcore.plan import make_plan
from regcore.study.sweep import Suggestion, suggest_sweep

Json = dict[str, Any]
WINE: Json = {"kind": "builtin", "name": "wine"}


def places(error: SpecError) -> list[tuple[str, str]]:
    return [(one.pointer, one.code) for one in error.errors]


def test_a_suggestion_is_that_of_the_engine_under_the_servers_limits(services: Services) -> None:
    suggestion = suggest(services, "default", {"data": WINE, "budget_s": 60})

    limits = services.settings
    assert suggestion == suggest_sweep(
        WINE, budget_s=60, ceilings=services.ceilings, max_members=limits.max_sweep_members
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"budget_s": 60}, [("/data", "missing_field")]),
        ({"data": WINE}, [("/budget_s", "missing_field")]),
        ({"data": WINE, "budget_s": 0}, [("/budget_s", "greater_than")]),
        ({"data": WINE, "budget_s": 60, "spec": {}}, [("/spec", "unknown_field")]),
        ({"data": WINE | {"name": "vine"}, "budget_s": 60}, [("/data/name", "unknown_value")]),
        (
            {"data": {"kind": "dataset", "id": "ds_" + "0" * 26, "target": "y"}, "budget_s": 60},
            [("/data/id", "dataset_not_found")],
        ),
        ({"after": "swp_" + "0" * 26, "budget_s": 60}, [("/after", "sweep_not_found")]),
    ],
)
def test_what_is_wrong_is_named_by_its_place(services: Services, body: Json, expected: Any) -> None:
    with pytest.raises(SpecError) as caught:
        suggest(services, "default", body)

    assert places(caught.value) == expected


def test_what_is_shown_can_be_planned_as_it_is() -> None:
    shown = show(suggest_sweep(WINE, budget_s=60))

    assert shown.keys() == {"sweep", "reason", "estimate_s"}
    assert make_plan(shown["sweep"]["base"])
    assert show(Suggestion({}, "", 1.26))["estimate_s"] == 1.3
