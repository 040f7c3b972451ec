import pytest
import torch

from regcore import make_plan, parse_spec
from regcore.optim import OPTIMIZERS
from regcore.regularizers import REGULARIZERS


def warnings_of(make_job, **parts):
    return make_plan(parse_spec(make_job(**parts))).warnings


def test_an_ordinary_spec_has_no_warnings(make_job):
    regularizers = [{"kind": "l1", "strength": 1e-4}, {"kind": "l2", "strength": 1e-4}, {"kind": "dropout", "p": 0.2}]

    assert warnings_of(make_job, regularizers=regularizers) == []


L2 = {"kind": "l2", "strength": 0.01}
DECAY = {"kind": "weight_decay", "strength": 0.01}
NET = {"kind": "elastic_net", "l1": 0.01, "l2": 0.01}
DROPOUT = {"kind": "dropout", "p": 0.2}
STOPPING = {"kind": "early_stopping", "patience": 2}
GROWING = {"kind": "step", "every_epochs": 1, "gamma": 3}
LONG = {"epochs": 12}


@pytest.mark.parametrize(
    ("parts", "code", "pointer"),
    [
        ({"optimizer": {"kind": "adam"}, "regularizers": [L2]}, "l2_in_adaptive_optimizer", "/regularizers/0"),
        ({"optimizer": {"kind": "adamw"}, "regularizers": [L2]}, "l2_in_adaptive_optimizer", "/regularizers/0"),
        (
            {"optimizer": {"kind": "rmsprop"}, "regularizers": [DROPOUT, L2]},
            "l2_in_adaptive_optimizer",
            "/regularizers/1",
        ),
        ({"optimizer": {"kind": "adam"}, "regularizers": [NET]}, "l2_in_adaptive_optimizer", "/regularizers/0"),
        ({"regularizers": [L2, DECAY]}, "two_decays", "/regularizers/1"),
        ({"regularizers": [NET, DROPOUT, L2]}, "two_decays", "/regularizers/2"),
        (
            {"optimizer": {"kind": "adamw", "weight_decay": 0.1}, "regularizers": [DECAY]},
            "two_decays",
            "/regularizers/0",
        ),
        ({"regularizers": [L2 | {"strength": 101}]}, "strength_overshoots", "/regularizers/0/strength"),
        ({"regularizers": [DECAY | {"strength": 101}]}, "strength_overshoots", "/regularizers/0/strength"),
        ({"regularizers": [NET | {"l2": 1000}]}, "strength_overshoots", "/regularizers/0/l2"),
        ({"optimizer": {"kind": "adamw", "weight_decay": 10_000}}, "strength_overshoots", "/optimizer/weight_decay"),
        (
            {"regularizers": [L2 | {"strength": 1, "schedule": GROWING}], "training": LONG},
            "strength_overshoots",
            "/regularizers/0/strength",
        ),
        (
            {
                "optimizer": {"schedule": GROWING, "learning_rate": 1e-5},
                "regularizers": [DECAY | {"strength": 1}],
                "training": LONG,
            },
            "strength_overshoots",
            "/regularizers/0/strength",
        ),
        ({"regularizers": [NET | {"l1": 11}]}, "strength_zeroes_all", "/regularizers/0/l1"),
        ({"regularizers": [{"kind": "l1", "strength": 11}]}, "strength_zeroes_all", "/regularizers/0/strength"),
        ({"optimizer": {"learning_rate": 11}}, "rate_too_large", "/optimizer/learning_rate"),
        ({"optimizer": {"kind": "adam", "learning_rate": 1.1}}, "rate_too_large", "/optimizer/learning_rate"),
        ({"optimizer": {"kind": "rmsprop", "learning_rate": 1e-8}}, "rate_too_small", "/optimizer/learning_rate"),
        (
            {"optimizer": {"schedule": {"kind": "constant", "warmup_epochs": 100}}, "training": {"epochs": 5}},
            "warmup_outlasts_run",
            "/optimizer/schedule/warmup_epochs",
        ),
        (
            {"regularizers": [L2 | {"schedule": {"kind": "cosine", "warmup_epochs": 3}}]},
            "warmup_outlasts_run",
            "/regularizers/0/schedule/warmup_epochs",
        ),
        (
            {"optimizer": {"schedule": {"kind": "step", "every_epochs": 2}}},
            "never_steps",
            "/optimizer/schedule/every_epochs",
        ),
        (
            {"regularizers": [NET | {"schedule": {"kind": "step"}}]},
            "never_steps",
            "/regularizers/0/schedule/every_epochs",
        ),
        (
            {"optimizer": {"schedule": {"kind": "step", "every_epochs": 1, "gamma": 0.01}}, "training": LONG},
            "schedule_vanishes",
            "/optimizer/schedule/gamma",
        ),
        ({"regularizers": [STOPPING], "training": {"epochs": 3}}, "never_stops", "/regularizers/0/patience"),
        (
            {"regularizers": [STOPPING], "training": {"epochs": 9, "eval_every_epochs": 9}},
            "never_stops",
            "/regularizers/0/patience",
        ),
        (
            {"regularizers": [STOPPING | {"metric": "validation/accuracy", "min_delta": 1}], "training": LONG},
            "never_improves",
            "/regularizers/0/min_delta",
        ),
        (
            {"regularizers": [STOPPING], "training": LONG, "data": {"validation_fraction": 0.0006}},
            "one_validation_row",
            "/regularizers/0/metric",
        ),
        ({"regularizers": [DROPOUT, DROPOUT]}, "dropout_twice", "/regularizers"),
        ({"data": {"test_fraction": 0}}, "no_test_rows", "/data/test_fraction"),
    ],
)
def test_a_doubtful_spec_is_warned_of_with_a_remedy(make_job, parts, code, pointer):
    (warning,) = warnings_of(make_job, **parts)

    assert (warning.code, warning.pointer) == (code, pointer)
    assert warning.message.endswith(".")
    assert warning.remedy.endswith(".")


@pytest.mark.parametrize(
    "parts",
    [
        {"optimizer": {"kind": "adam"}, "regularizers": [DECAY]},
        {
            "regularizers": [
                L2 | {"select": {"include": ["head.weight"]}},
                DECAY | {"select": {"include": ["linear1.weight"]}},
            ]
        },
        {"optimizer": {"kind": "adamw", "weight_decay": 0.1}},
        {"regularizers": [L2 | {"strength": 99}]},
        {"regularizers": [DROPOUT, DROPOUT | {"where": "input"}]},
        {"optimizer": {"schedule": {"kind": "constant", "warmup_epochs": 2}}},
        {"optimizer": {"schedule": {"kind": "step", "every_epochs": 1}}},
        {"regularizers": [STOPPING], "training": {"epochs": 4}},
        {"regularizers": [NET | {"l1": 9.9}]},
        {"optimizer": {"kind": "adam"}, "regularizers": [{"kind": "l1", "strength": 100}]},
    ],
)
def test_what_is_well_meant_is_not_warned_of(make_job, parts):
    assert warnings_of(make_job, **parts) == []


@pytest.mark.parametrize(
    ("optimizer", "limit"),
    [
        ({"momentum": 0.0}, 2),
        ({"momentum": 0.5}, 3),
        ({"momentum": 0.9}, 3.8),
        ({"momentum": 0.5, "nesterov": True}, 1.5),
        ({"momentum": 0.9, "nesterov": True}, 3.8 / 2.8),
    ],
)
@pytest.mark.parametrize("share", [0.97, 1.03])
def test_the_limit_that_is_named_is_the_one_beyond_which_weights_grow(make_job, optimizer, limit, share):
    """Descent by torch on (λ/2)w², with nothing else to move the weight."""
    rate = 0.01
    strength = share * limit / rate
    weight = torch.ones(1, dtype=torch.float64, requires_grad=True)
    descent = torch.optim.SGD([weight], lr=rate, **optimizer)
    for _ in range(2000):
        descent.zero_grad()
        (strength / 2 * weight**2).sum().backward()
        descent.step()

    (warning,) = warnings_of(make_job, optimizer=optimizer, regularizers=[L2 | {"strength": strength}])

    grows = weight.abs().item() > 1
    assert grows == (share > 1)
    assert ("steps make weights larger" in warning.message) == grows


@pytest.mark.parametrize(("kind", "factor"), [("weight_decay", -1.5), ("weight_decay", -0.5)])
def test_a_decoupled_decay_grows_where_its_factor_is_beyond_minus_1(make_job, kind, factor):
    strength = (1 - factor) / 0.01

    (warning,) = warnings_of(make_job, regularizers=[{"kind": kind, "strength": strength}])

    assert ("steps make weights larger" in warning.message) == (abs(factor) > 1)


def test_the_share_of_the_rate_that_a_warm_up_reaches_is_named(make_job):
    schedule = {"kind": "constant", "warmup_epochs": 100}

    (warning,) = warnings_of(make_job, optimizer={"schedule": schedule}, training={"epochs": 5})

    assert "reaches 5 % of the learning rate in a run of 5" in warning.message


def test_every_field_that_a_schedule_multiplies_is_declared():
    """A new kind that has a schedule and does not say what it multiplies would be held to no range."""
    for part in (*OPTIMIZERS, *REGULARIZERS.values()):
        has_schedule = "schedule" in part.model_fields
        assert bool(part.scheduled) == has_schedule, part
        assert {*part.scheduled} <= {*part.model_fields}
        assert {*part.decays, *getattr(part, "thresholds", ())} <= {*part.model_fields}
        for name in part.scheduled:
            assert any(hasattr(one, "le") for one in part.model_fields[name].metadata), (part, name)


def test_every_strength_that_may_be_large_says_how_it_acts():
    for part in REGULARIZERS.values():
        assert {*part.scheduled} == {*part.decays, *part.thresholds}, part
