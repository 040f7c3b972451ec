import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from regcore.spec import JobSpec
from regcore.spec.kinds import REGULARIZERS

SMALLEST = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "mlp", "hidden": [128]}}

DEFAULTS = {
    "spec_version": 1,
    "name": None,
    "labels": {},
    "data": {
        "kind": "builtin",
        "name": "digits",
        "test_fraction": 0.2,
        "validation_fraction": 0.2,
        "split_seed": 0,
        "train_limit": None,
        "standardize": None,
        "standardize_target": None,
    },
    "task": {"kind": "auto", "loss": "auto", "class_weights": None},
    "model": {
        "kind": "mlp",
        "hidden": [128],
        "activation": "relu",
        "norm": None,
        "residual": False,
        "dropout": 0.0,
    },
    "optimizer": {
        "kind": "sgd",
        "learning_rate": 0.01,
        "momentum": 0.9,
        "nesterov": False,
        "schedule": {"kind": "constant", "warmup_epochs": 0.0},
    },
    "regularizers": [],
    "training": {
        "epochs": 10,
        "batch_size": 64,
        "seed": 0,
        "precision": "float32",
        "grad_accumulation": 1,
        "eval_every_epochs": 1,
        "checkpoint_every_s": 30,
        "compile": False,
    },
    "resources": {
        "device": "auto",
        "num_devices": 1,
        "pool": None,
        "max_runtime_s": 86400,
        "max_memory_bytes": None,
    },
    "priority": "normal",
    "fusion": "auto",
    "init_from": None,
    "exports": [],
}


def test_only_data_and_model_are_required_and_the_rest_has_the_contracts_defaults():
    assert JobSpec.model_validate(SMALLEST).model_dump(mode="json") == DEFAULTS


@pytest.mark.parametrize("field", ["data", "model"])
def test_data_and_model_are_required(field):
    incomplete = {name: value for name, value in SMALLEST.items() if name != field}

    with pytest.raises(ValidationError, match=field):
        JobSpec.model_validate(incomplete)


def test_a_spec_cannot_be_changed():
    spec = JobSpec.model_validate(SMALLEST)

    with pytest.raises(ValidationError, match="frozen"):
        spec.name = "other"


@st.composite
def jobs(draw):
    strength = st.floats(0, 1e12)
    regularizers = st.one_of(
        st.fixed_dictionaries({"kind": st.sampled_from(["l1", "l2", "weight_decay"]), "strength": strength}),
        st.fixed_dictionaries({"kind": st.just("elastic_net"), "l1": strength, "l2": strength}),
        st.fixed_dictionaries({"kind": st.just("dropout"), "p": st.floats(0, 1, exclude_max=True)}),
        st.fixed_dictionaries({"kind": st.just("early_stopping"), "patience": st.integers(1, 99)}),
    )
    schedule = st.one_of(
        st.just({"kind": "constant"}),
        st.fixed_dictionaries({"kind": st.just("cosine"), "warmup_epochs": st.floats(0, 9)}),
        st.fixed_dictionaries({"kind": st.just("step"), "gamma": st.floats(0.01, 1)}),
    )
    return SMALLEST | {
        "model": draw(
            st.one_of(
                st.just({"kind": "linear"}),
                st.fixed_dictionaries(
                    {"kind": st.just("mlp"), "hidden": st.lists(st.integers(1, 999), min_size=1, max_size=4)}
                ),
            )
        ),
        "optimizer": {
            "kind": draw(st.sampled_from(["sgd", "adam", "adamw", "rmsprop"])),
            "learning_rate": draw(st.floats(1e-9, 1e6)),
            "schedule": draw(schedule),
        },
        "regularizers": draw(st.lists(regularizers, max_size=5)),
        "training": {"seed": draw(st.integers(0, 2**63 - 1)), "batch_size": draw(st.sampled_from([1, 64, "full"]))},
        "labels": draw(
            st.dictionaries(
                st.from_regex(r"[a-z][a-z0-9._/-]{0,9}", fullmatch=True),
                st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=9),
            )
        ),
    }


@settings(deadline=None)  # the machine may be busy
@given(job=jobs().filter(lambda job: len(job["labels"]) <= 16))
def test_json_of_a_spec_is_that_spec(job):
    spec = JobSpec.model_validate(job)

    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec


def test_sixteen_labels_are_the_most():
    labels = {f"label{number}": "" for number in range(17)}

    JobSpec.model_validate(SMALLEST | {"labels": dict(list(labels.items())[:16])})
    with pytest.raises(ValidationError, match="at most 16"):
        JobSpec.model_validate(SMALLEST | {"labels": labels})


@pytest.mark.parametrize("key", ["", " ", "a b", "-a", "a" * 64, "é", "a:b"])
def test_a_label_key_is_a_short_plain_word(key):
    with pytest.raises(ValidationError, match="pattern"):
        JobSpec.model_validate(SMALLEST | {"labels": {key: "value"}})


@pytest.mark.parametrize("name", ["two\nlines", "nul\0", "bell\a", "", "n" * 201])
def test_a_name_is_one_printable_line(name):
    with pytest.raises(ValidationError):
        JobSpec.model_validate(SMALLEST | {"name": name})


@pytest.mark.parametrize("name", ["l1 or dropout?", "naïve Versuch λ=0,1", "试验"])
def test_a_name_may_be_in_any_language(name):
    assert JobSpec.model_validate(SMALLEST | {"name": name}).name == name


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("place", "field"), [("optimizer", "learning_rate"), ("resources", "max_runtime_s"), ("data", "test_fraction")]
)
def test_numbers_are_finite(place, field, value):
    parts = {"data": SMALLEST["data"], "optimizer": {"kind": "sgd"}, "resources": {}}

    with pytest.raises(ValidationError):
        JobSpec.model_validate(SMALLEST | {place: parts[place] | {field: value}})


def test_every_regularizer_of_the_registry_can_be_named():
    examples = [regularizer.example for regularizer in REGULARIZERS.values()]

    spec = JobSpec.model_validate(SMALLEST | {"regularizers": examples})

    assert [type(regularizer) for regularizer in spec.regularizers] == list(REGULARIZERS.values())


def test_every_field_says_what_it_is_for_in_the_schema():
    definitions = JobSpec.model_json_schema()["$defs"]

    silent = [
        f"{title}.{name}"
        for title, definition in definitions.items()
        for name, field in definition["properties"].items()
        if "description" not in field and "const" not in field
    ]

    assert silent == []


def test_a_script_may_write_numpys_numbers_and_tuples_anywhere():
    spec = JobSpec(
        data={"kind": "builtin", "name": "digits", "split_seed": np.uint32(7)},
        model={"kind": "mlp", "hidden": (np.int64(4), 8.0)},
        optimizer={"kind": "adam", "learning_rate": np.float32(0.5)},
        regularizers=({"kind": "l1", "strength": np.array(0.25)},),
        training={"seed": np.arange(3)[1], "batch_size": 32.0, "epochs": 1e1},
    )

    assert spec.model_dump(mode="json", exclude_unset=True) == {
        "data": {"kind": "builtin", "name": "digits", "split_seed": 7},
        "model": {"kind": "mlp", "hidden": [4, 8]},
        "optimizer": {"kind": "adam", "learning_rate": 0.5},
        "regularizers": [{"kind": "l1", "strength": 0.25}],
        "training": {"seed": 1, "batch_size": 32, "epochs": 10},
    }
