from typing import Any

import pytest
from jsonpatch import apply_patch

from regcore import make_plan, parse_spec
from regcore.remedy_patches import Change, balanced, longer, stronger, to_early_stopping, weaker, wider
from regcore.spec.job import JobSpec

NUM_STEPS = 500


def resolved(**changes: Any) -> JobSpec:
    wine = {"data": {"kind": "builtin", "name": "wine"}, "model": {"kind": "mlp", "hidden": [8, 4]}, **changes}
    return make_plan(parse_spec(wine)).resolved_spec


def after(spec: JobSpec, change: Change | None) -> JobSpec:
    """The spec with the change, which must be one that can be trained."""
    assert change is not None
    return make_plan(apply_patch(spec.model_dump(mode="json"), list(change.patch))).resolved_spec


EVERY: dict[str, tuple[dict[str, Any], Any]] = {
    "early stopping": ({}, lambda spec: to_early_stopping(spec, 100)),
    "a first penalty": ({}, lambda spec: stronger(spec, NUM_STEPS)),
    "a first decay": ({"optimizer": {"kind": "adam"}}, lambda spec: stronger(spec, NUM_STEPS)),
    "a stronger one": ({"regularizers": [{"kind": "l1", "strength": 1e-6}]}, lambda spec: stronger(spec, NUM_STEPS)),
    "two strengths": (
        {"regularizers": [{"kind": "elastic_net", "l1": 1e-6, "l2": 0}]},
        lambda spec: stronger(spec, NUM_STEPS),
    ),
    "more dropout": ({"regularizers": [{"kind": "dropout", "p": 1e-3}]}, lambda spec: stronger(spec, NUM_STEPS, 0)),
    "less": ({"regularizers": [{"kind": "dropout", "p": 0.9}, {"kind": "l2", "strength": 5}]}, weaker),
    "longer": ({}, lambda spec: longer(spec, has_begun=True)),
    "longer steps": ({}, lambda spec: longer(spec, has_begun=False)),
    "wider": ({}, wider),
    "a hidden layer": ({"model": {"kind": "linear"}}, wider),
    "balanced": ({}, lambda spec: balanced()),
}


@pytest.mark.parametrize("case", EVERY)
def test_each_change_gives_another_spec_that_can_be_trained(case: str) -> None:
    changes, make = EVERY[case]
    spec = resolved(**changes)

    changed = after(spec, make(spec))

    assert changed != spec


def test_a_strength_is_raised_at_least_tenfold_and_never_so_far_that_a_step_overshoots() -> None:
    spec = resolved(regularizers=[{"kind": "l2", "strength": 0.5}])

    raised = after(spec, stronger(spec, NUM_STEPS)).regularizers[0].strength

    assert raised == 1  # 0.01 · 10 · 1 = a tenth of the weight
    few = resolved(regularizers=[{"kind": "l2", "strength": 1e-3}])
    assert after(few, stronger(few, 10**6)).regularizers[0].strength == pytest.approx(0.01)


def test_a_pull_that_does_not_fall_with_the_weight_is_raised_to_what_leaves_weights() -> None:
    spec = resolved(regularizers=[{"kind": "elastic_net", "l1": 1e-9, "l2": 1e-9}])

    raised = after(spec, stronger(spec, NUM_STEPS)).regularizers[0]

    assert (raised.l1, raised.l2) == (1e-3, 0.2)
    strong = resolved(regularizers=[{"kind": "l1", "strength": 5e-3}])
    assert after(strong, stronger(strong, NUM_STEPS)).regularizers[0].strength == pytest.approx(0.05)


def test_gates_are_weakened_too() -> None:
    spec = resolved(regularizers=[{"kind": "l0", "strength": 1.0}])

    assert after(spec, weaker(spec)).regularizers[0].strength == pytest.approx(0.01)


def test_weights_are_kept_once() -> None:
    assert to_early_stopping(resolved(regularizers=[{"kind": "early_stopping"}]), 10) is None


@pytest.mark.parametrize("kind", ["l0", "activity", "r_drop", "group_lasso"])
def test_a_penalty_of_any_kind_is_weakened_by_its_strength(kind: str) -> None:
    model = {"kind": "mlp", "hidden": [8]}
    others = [{"kind": "dropout", "p": 0}] if kind == "r_drop" else []
    change = weaker(resolved(model=model, regularizers=[{"kind": kind, "strength": 0.5}, *others]))

    assert change is not None
    assert change.patch[0] == {"op": "replace", "path": "/regularizers/0/strength", "value": 0.005}


def test_without_regularizers_there_is_nothing_to_weaken() -> None:
    assert weaker(resolved()) is None


def test_layers_that_one_wrote_are_left_to_oneself() -> None:
    assert wider(resolved(model={"kind": "layers", "layers": [{"kind": "linear"}]})).patch == ()
