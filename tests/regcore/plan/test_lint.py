import pytest
import torch

from regcore import make_plan, parse_spec, train
from regcore.spec.kinds import OPTIMIZERS, REGULARIZERS


def warnings_of(make_job, **parts):
    return make_plan(parse_spec(make_job(**parts))).warnings


def test_an_ordinary_spec_has_no_warnings(make_job):
    regularizers = [{"kind": "l1", "strength": 1e-4}, {"kind": "l2", "strength": 1e-4}, {"kind": "dropout", "p": 0.2}]

    assert warnings_of(make_job, regularizers=regularizers) == []


L2 = {"kind": "l2", "strength": 0.01}
DECAY = {"kind": "weight_decay", "strength": 0.01}
NET = {"kind": "elastic_net", "l1": 0.01, "l2": 0.01}
L1 = {"kind": "l1", "strength": 0.01}
SUBGRADIENT = {"method": "subgradient"}
FLATTEN = {"kind": "flatten"}
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
        ({"optimizer": {"kind": "adam", "learning_rate": 1.0}}, "rate_too_large", "/optimizer/learning_rate"),
        (
            {"optimizer": {"kind": "rmsprop", "momentum": 0.99, "learning_rate": 0.9}},
            "rate_too_large",
            "/optimizer/learning_rate",
        ),
        (
            {"optimizer": {"kind": "rmsprop", "alpha": 0.0, "momentum": 0.999}, "training": {"epochs": 10}},
            "rate_too_large",
            "/optimizer/learning_rate",
        ),
        ({"optimizer": {"kind": "rmsprop", "alpha": 0.9999999}}, "rate_too_large", "/optimizer/learning_rate"),
        ({"optimizer": {"kind": "adam", "eps": 1e6}}, "rate_too_small", "/optimizer/learning_rate"),
        ({"optimizer": {"kind": "rmsprop", "eps": 1e6}}, "rate_too_small", "/optimizer/learning_rate"),
        ({"optimizer": {"kind": "adam", "beta2": 0.0}}, "steps_grow", "/optimizer/beta2"),
        ({"optimizer": {"kind": "adamw", "beta1": 0.999, "beta2": 0.5}}, "steps_grow", "/optimizer/beta2"),
        ({"regularizers": [DECAY | {"strength": 99}]}, "strength_forgets", "/regularizers/0/strength"),
        ({"regularizers": [L2 | {"strength": 99}]}, "strength_forgets", "/regularizers/0/strength"),
        ({"regularizers": [NET | {"l2": 60}]}, "strength_forgets", "/regularizers/0/l2"),
        ({"optimizer": {"kind": "adamw", "weight_decay": 60}}, "strength_forgets", "/optimizer/weight_decay"),
        (
            {"optimizer": {"kind": "adam"}, "regularizers": [L1 | {"strength": 1e6}]},
            "strength_zeroes_all",
            "/regularizers/0/strength",
        ),
        (
            {"optimizer": {"kind": "adam"}, "regularizers": [L1 | SUBGRADIENT | {"strength": 1e4}]},
            "strength_drowns_loss",
            "/regularizers/0/strength",
        ),
        (
            {"regularizers": [L1 | SUBGRADIENT | {"strength": 1e4}]},
            "strength_overshoots",
            "/regularizers/0/strength",
        ),
        ({"regularizers": [DROPOUT | {"p": 0.9999}]}, "drops_nearly_all", "/regularizers/0/p"),
        (
            {"model": {"kind": "layers", "layers": [FLATTEN, {"kind": "dropout", "p": 0.99}, {"kind": "linear"}]}},
            "drops_nearly_all",
            "/model/layers/1/p",
        ),
        ({"task": {"class_weights": [1e-300] * 10}}, "weights_too_small", "/task/class_weights"),
        (
            {"optimizer": {"kind": "adam"}, "task": {"class_weights": [1e-300] * 10}},
            "weights_too_small",
            "/task/class_weights",
        ),
        ({"task": {"class_weights": [1e6] * 10}}, "weights_too_large", "/task/class_weights"),
        (
            {"optimizer": {"kind": "adam"}, "task": {"class_weights": [1e12] + [1] * 9}},
            "weights_too_unequal",
            "/task/class_weights",
        ),
        *(
            (
                {"optimizer": {"schedule": {"kind": kind, "warmup_epochs": 4} | more}, "training": {"epochs": 4}},
                "warmup_fills_run",
                "/optimizer/schedule/warmup_epochs",
            )
            for kind, more in (("cosine", {}), ("step", {"every_epochs": 1}))
        ),
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
        {"regularizers": [L2 | {"strength": 49}]},
        {"regularizers": [DROPOUT, DROPOUT | {"where": "input"}]},
        {"optimizer": {"schedule": {"kind": "constant", "warmup_epochs": 2}}},
        {"optimizer": {"schedule": {"kind": "step", "every_epochs": 1}}},
        {"regularizers": [STOPPING], "training": {"epochs": 4}},
        {"regularizers": [NET | {"l1": 9.9}]},
        {"optimizer": {"kind": "adam"}, "regularizers": [{"kind": "l1", "strength": 100}]},
        {"optimizer": {"kind": "adam", "learning_rate": 0.1}},
        {"optimizer": {"kind": "rmsprop", "momentum": 0.9}},
        {"optimizer": {"momentum": 0.999999}},
        {"optimizer": {"kind": "adam", "beta1": 0.9, "beta2": 0.5}},
        {"optimizer": {"kind": "adam", "beta1": 0.0, "beta2": 0.0}},
        {"optimizer": {"kind": "adam", "beta1": 0.9999999}},
        {"optimizer": {"learning_rate": 1.0}, "regularizers": [DECAY | {"strength": 0.9}]},
        {"optimizer": {"schedule": {"kind": "cosine", "warmup_epochs": 1.5}}},
        {"task": {"class_weights": [1000] + [1] * 9}, "optimizer": {"kind": "adam"}},
        {"regularizers": [{"kind": "dropout", "p": 0.9}]},
        {
            "data": {"kind": "builtin", "name": "diabetes", "standardize_target": False},
            "optimizer": {"kind": "adam"},
            "regularizers": [L1 | {"strength": 200}, L1 | SUBGRADIENT | {"strength": 200}],
        },
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


def test_a_rate_and_a_strength_with_peaks_apart_are_multiplied_step_by_step(make_job):
    """The rate falls while the strength rises: 10 % × 20 of their peaks never meet."""
    parts = {
        "optimizer": {"learning_rate": 0.1, "momentum": 0.0, "schedule": {"kind": "cosine"}},
        "regularizers": [L2 | {"strength": 0.2, "schedule": {"kind": "cosine", "final_factor": 100}}],
        "training": {"epochs": 50},
    }

    assert warnings_of(make_job, **parts) == []


@pytest.mark.parametrize(("strength", "said"), [(200.0001, "is above 1: steps"), (203, "= 2.03 is above 2: steps")])
def test_a_number_above_a_limit_reads_as_above_it(make_job, strength, said):
    (warning,) = warnings_of(make_job, regularizers=[DECAY | {"strength": strength}])

    assert said in warning.message


@pytest.mark.parametrize("optimizer", [{"kind": "adam"}, {"kind": "rmsprop"}, {"kind": "adamw"}])
def test_a_gradient_decay_does_not_overshoot_where_its_size_is_divided_out(make_job, optimizer):
    found = warnings_of(make_job, optimizer=optimizer, regularizers=[L2 | {"strength": 1000}])

    assert [warning.code for warning in found] == ["l2_in_adaptive_optimizer"]


@pytest.mark.parametrize(("method", "zeroes"), [({}, True), (SUBGRADIENT, False)])
def test_only_a_proximal_threshold_is_said_to_leave_no_weight(make_job, method, zeroes):
    """One run of each with that warning: the first ends with nothing but zeros, the second with none."""
    job = make_job(regularizers=[L1 | method | {"strength": 100}])

    result = train(job)

    weights = [weight for name, weight in result.model.named_parameters() if name.endswith("weight")]
    assert all((weight == 0).all() for weight in weights) == zeroes
    assert ("none is left" in result.plan.warnings[0].message) == zeroes


def test_the_fields_that_lengthen_or_shorten_steps_are_named_where_they_do(make_job):
    (lengthened,) = warnings_of(make_job, optimizer={"kind": "rmsprop", "momentum": 0.99, "learning_rate": 0.9})
    (shortened,) = warnings_of(make_job, optimizer={"kind": "adam", "eps": 1e6})
    (neither,) = warnings_of(make_job, optimizer={"kind": "adam", "learning_rate": 1e-9})

    assert lengthened.remedy == "Lower learning_rate or alpha or momentum."
    assert shortened.remedy == "Raise learning_rate, lower eps, or train longer."
    assert neither.remedy == "Raise learning_rate, or train longer."


def test_the_share_of_the_rate_that_a_warm_up_reaches_is_named(make_job):
    schedule = {"kind": "constant", "warmup_epochs": 100}

    (warning,) = warnings_of(make_job, optimizer={"schedule": schedule}, training={"epochs": 5})

    assert "reaches 5 % of the learning rate in a run of 5" in warning.message


def test_every_field_that_a_schedule_multiplies_is_declared():
    """A new kind that has a schedule and does not say what it multiplies would be held to no range."""
    for part in (*OPTIMIZERS.values(), *REGULARIZERS.values()):
        has_schedule = "schedule" in part.model_fields
        assert bool(part.scheduled) == has_schedule, part
        assert {*part.scheduled} <= {*part.model_fields}
        assert {*part.decays, *getattr(part, "thresholds", ())} <= {*part.model_fields}
        for name in part.scheduled:
            assert any(hasattr(one, "le") for one in part.model_fields[name].metadata), (part, name)


def test_every_strength_that_may_be_large_says_how_it_acts():
    for part in REGULARIZERS.values():
        if part.model_validate(part.example).shrinks_weights:
            assert {*part.scheduled} == {*part.decays, *part.thresholds}, part


@pytest.mark.parametrize("kind", ["l0", "max_norm", "spectral_norm"])
def test_two_of_a_kind_are_doubted_where_they_meet(make_job, kind):
    def codes(*selected):
        example = REGULARIZERS[kind].example
        regularizers = [example | {"select": {"include": [pattern]}} for pattern in selected]
        return [warning.code for warning in make_plan(make_job(regularizers=regularizers)).warnings]

    assert codes("head.weight", "linear1.weight") == []
    assert codes("head.weight", "*.weight") == [f"{kind}_twice"]
