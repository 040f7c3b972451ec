import pytest

from regcore import make_plan, parse_spec
from regcore.errors import SpecError

GROWING = {"kind": "step", "every_epochs": 1, "gamma": 10}


def errors_of(job):
    with pytest.raises(SpecError) as caught:
        make_plan(parse_spec(job))
    return [(error.pointer, error.code) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("schedule", "epochs", "field"),
    [
        (GROWING, 60, "gamma"),
        (GROWING, 400, "gamma"),  # 10^399 is no float64
        (GROWING | {"warmup_epochs": 1e308}, 400, "gamma"),
        ({"kind": "cosine", "final_factor": 1e60}, 5, "final_factor"),
        ({"kind": "cosine", "final_factor": 1e308}, 5, "final_factor"),
    ],
)
@pytest.mark.parametrize(
    ("part", "pointer"),
    [
        ({"optimizer": {"kind": "sgd"}}, "/optimizer"),
        ({"optimizer": {"kind": "adam"}}, "/optimizer"),
        ({"regularizers": [{"kind": "dropout", "p": 0.1}, {"kind": "l1", "strength": 1e-4}]}, "/regularizers/1"),
        ({"regularizers": [{"kind": "l2", "strength": 1e-4}]}, "/regularizers/0"),
        ({"regularizers": [{"kind": "weight_decay", "strength": 1e-4}]}, "/regularizers/0"),
        ({"regularizers": [{"kind": "elastic_net", "l1": 0, "l2": 1e-4}]}, "/regularizers/0"),
        ({"regularizers": [{"kind": "elastic_net", "l1": 1e-4, "l2": 0}]}, "/regularizers/0"),
    ],
)
def test_a_schedule_that_leaves_the_range_of_what_it_multiplies_is_refused(
    make_job, part, pointer, schedule, epochs, field
):
    (family,) = part
    if family == "optimizer":
        part = {family: part[family] | {"schedule": schedule}}
    else:
        part = {family: [*part[family][:-1], part[family][-1] | {"schedule": schedule}]}
    job = make_job(**part, training={"epochs": epochs})

    assert set(errors_of(job)) == {(f"{pointer}/schedule/{field}", "out_of_range")}


def test_a_range_may_be_used_to_its_end(make_job):
    """0.01 · 10⁸ is the largest rate there is; one epoch more is too many."""
    optimizer = {"learning_rate": 0.01, "schedule": GROWING}

    make_plan(parse_spec(make_job(optimizer=optimizer, training={"epochs": 9})))

    assert errors_of(make_job(optimizer=optimizer, training={"epochs": 10})) == [
        ("/optimizer/schedule/gamma", "out_of_range")
    ]


def test_a_strength_of_nothing_times_infinity_is_no_number_and_is_refused(make_job):
    job = make_job(regularizers=[{"kind": "l1", "strength": 0, "schedule": GROWING}], training={"epochs": 400})

    assert errors_of(job) == [("/regularizers/0/schedule/gamma", "out_of_range")]


def test_the_message_says_what_is_reached(make_job):
    with pytest.raises(SpecError, match=r"at most 1e\+06 at every step; .*gamma 10, which reaches 1e\+57 within 60"):
        make_plan(parse_spec(make_job(optimizer={"schedule": GROWING}, training={"epochs": 60})))


@pytest.mark.parametrize(
    "parts",
    [
        {"optimizer": {"kind": "adamw", "weight_decay": 1e39}},  # infinite in float32
        {"optimizer": {"kind": "adam", "eps": 1e39}},
        {"optimizer": {"kind": "adam", "eps": 1e-46}},  # nothing in float32
        {"optimizer": {"kind": "rmsprop", "eps": 1e308}},
        {"regularizers": [{"kind": "l2", "strength": 1e39}]},
        {"regularizers": [{"kind": "early_stopping", "min_delta": 1e308}], "data": {"validation_fraction": 0.2}},
        {"task": {"class_weights": [1e39] * 10}},
    ],
)
def test_a_number_that_float32_cannot_hold_is_refused(make_job, parts):
    with pytest.raises(SpecError):
        parse_spec(make_job(**parts))


@pytest.mark.parametrize(
    "parts",
    [
        {"training": {"epochs": 10**400}},
        {"regularizers": [{"kind": "early_stopping", "patience": 10**400}]},
        {"optimizer": {"schedule": {"kind": "step", "every_epochs": 10**400}}},
    ],
)
def test_a_count_that_is_no_float_is_refused(make_job, parts):
    with pytest.raises(SpecError):
        make_plan(parse_spec(make_job(**parts)))


@pytest.mark.parametrize(
    "schedule",
    [
        {"kind": "constant", "warmup_epochs": 1e308},
        {"kind": "cosine", "warmup_epochs": 1e308, "final_factor": 1e5},
        {"kind": "step", "warmup_epochs": 5e-324, "gamma": 5e-324, "every_epochs": 10**15},
        {"kind": "step", "gamma": 1 - 2**-53},
    ],
)
@pytest.mark.parametrize("epochs", [1, 10**15])
@pytest.mark.parametrize("eval_every_epochs", [1, 10**400])
def test_numbers_at_the_ends_of_their_ranges_are_planned_or_refused(make_job, schedule, epochs, eval_every_epochs):
    training = {"epochs": epochs, "eval_every_epochs": eval_every_epochs}
    stopping = {"kind": "early_stopping", "patience": 10**15}

    plan = make_plan(parse_spec(make_job(optimizer={"schedule": schedule}, regularizers=[stopping], training=training)))

    assert "never_stops" in [warning.code for warning in plan.warnings]
