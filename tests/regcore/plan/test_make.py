import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from regcore import make_plan, parse_spec
from regcore.data.catalogue import BUILTIN
from regcore.errors import SpecError
from regcore.layers import build_module
from regcore.plan import Ceilings

DIGITS = {"kind": "builtin", "name": "digits"}


def plan_of(ceilings=None, **parts):
    return make_plan(parse_spec({"data": DIGITS, "model": {"kind": "mlp", "hidden": [8]}} | parts), ceilings)


def errors_of(ceilings=None, **parts):
    with pytest.raises(SpecError) as caught:
        plan_of(ceilings, **parts)
    return caught.value.errors


def test_the_plan_of_the_784_128_10_network():
    mnist = {"kind": "builtin", "name": "mnist-5k"}

    plan = plan_of(data=mnist, model={"kind": "mlp", "hidden": [128]})

    assert [layer.kind for layer in plan.layers] == ["flatten", "linear", "activation", "linear"]
    assert plan.layer_names == ["flatten1", "linear1", "activation1", "head"]
    assert {p.name: p.shape for p in plan.parameters} == {
        "linear1.weight": (128, 784),
        "linear1.bias": (128,),
        "head.weight": (10, 128),
        "head.bias": (10,),
    }
    assert plan.num_parameters == 784 * 128 + 128 + 128 * 10 + 10
    assert plan.num_rows.model_dump() == {"train": 3200, "validation": 800, "test": 1000}
    assert (plan.steps_per_epoch, plan.num_steps, plan.num_epochs) == (50, 500, 10)
    assert (plan.task, plan.loss, plan.num_outputs) == ("classification", "cross_entropy", 10)


def test_its_public_json_leaves_out_what_the_job_shows_elsewhere():
    public = json.loads(json.dumps(plan_of().public()))

    assert {"layers", "parameters", "num_parameters", "num_rows", "steps_per_epoch", "num_steps"} <= set(public)
    assert not {"resolved_spec", "warnings"} & set(public)


@pytest.mark.parametrize("hidden", [[8], [5, 3], [16, 16, 16]])
def test_the_parameters_are_those_of_the_torch_module(hidden):
    plan = plan_of(model={"kind": "mlp", "hidden": hidden})

    state = build_module(plan.layers, plan.row).state_dict()

    assert {p.name: p.shape for p in plan.parameters} == {name: tuple(t.shape) for name, t in state.items()}
    assert plan.num_parameters == sum(tensor.numel() for tensor in state.values())


@given(
    name=st.sampled_from(["digits", "wine", "diabetes", "breast-cancer"]),
    batch_size=st.one_of(st.just("full"), st.integers(1, 90)),
    grad_accumulation=st.integers(1, 5),
    epochs=st.integers(1, 50),
)
@settings(deadline=None)
def test_steps_are_what_splitting_the_rows_gives(name, batch_size, grad_accumulation, epochs):
    training = {"batch_size": batch_size, "grad_accumulation": grad_accumulation, "epochs": epochs}

    plan = plan_of(data={"kind": "builtin", "name": name}, training=training)

    portions = torch.arange(plan.num_rows.train).split(plan.batch_size * grad_accumulation)
    assert plan.steps_per_epoch == len(portions)
    assert plan.num_steps == len(portions) * epochs
    assert sum(plan.num_rows.model_dump().values()) == BUILTIN[name].num_rows


@pytest.mark.parametrize(
    ("name", "task", "loss", "num_outputs", "standardize"),
    [
        ("digits", "classification", "cross_entropy", 10, False),
        ("breast-cancer", "classification", "cross_entropy", 2, True),
        ("diabetes", "regression", "mse", 1, True),
    ],
)
def test_what_depends_on_the_data_is_resolved(name, task, loss, num_outputs, standardize):
    plan = plan_of(data={"kind": "builtin", "name": name})

    resolved = plan.resolved_spec
    assert (resolved.task.kind, resolved.task.loss, plan.num_outputs) == (task, loss, num_outputs)
    assert resolved.data.standardize is standardize
    assert resolved.data.standardize_target is (task == "regression")
    assert make_plan(resolved).resolved_spec == resolved


def test_targets_stay_as_they_are_where_asked():
    plan = plan_of(data={"kind": "builtin", "name": "diabetes", "standardize_target": False})

    assert plan.resolved_spec.data.standardize_target is False


def test_classes_cannot_be_scaled():
    (error,) = errors_of(data={"kind": "builtin", "name": "digits", "standardize_target": True})

    assert (error.pointer, error.code) == ("/data/standardize_target", "task_mismatch")
    assert error.message == ("data.standardize_target needs a regression, and digits is a classification; remove it.")


def test_short_forms_are_kept_in_the_resolved_spec():
    assert plan_of().resolved_spec.model.model_dump(exclude_defaults=True) == {"hidden": [8]}


def test_binary_cross_entropy_has_one_output():
    plan = plan_of(data={"kind": "builtin", "name": "breast-cancer"}, task={"loss": "binary_cross_entropy"})

    assert plan.num_outputs == 1


def test_a_resolved_spec_planned_again_is_the_same_plan():
    first = plan_of(regularizers=[{"kind": "l1", "strength": 1e-3}, {"kind": "dropout", "p": 0.2}])

    again = make_plan(parse_spec(json.loads(first.resolved_spec.model_dump_json())))

    assert again == first


def test_regularizers_of_one_kind_are_told_apart_by_an_ordinal():
    regularizers = [{"kind": "l1", "strength": 1}, {"kind": "l2", "strength": 1}, {"kind": "l1", "strength": 1}]

    assert [entry.name for entry in plan_of(regularizers=regularizers).regularizers] == ["l1", "l2", "l1_2"]


def test_the_plan_says_what_each_regularizer_touches():
    select = {"include": ["*"], "exclude": ["head.*"]}

    (entry,) = plan_of(regularizers=[{"kind": "l1", "strength": 1, "select": select}]).regularizers

    assert entry.parameters == ["linear1.weight", "linear1.bias"]
    assert "linear1.weight" in entry.note


def test_dropout_is_in_the_plans_layers():
    plan = plan_of(regularizers=[{"kind": "dropout", "p": 0.5}])

    assert plan.layer_names == ["flatten1", "linear1", "activation1", "dropout1", "head"]


LAYERS_3 = {"kind": "layers", "layers": [{"kind": "linear", "features": 3}]}
NAMED = {"kind": "layers", "layers": [{"kind": "dropout", "name": "dropout1"}, {"kind": "linear"}]}
TWINS = {"kind": "layers", "layers": [{"kind": "linear", "features": 3, "name": "head"}, {"kind": "linear"}]}
ACCURACY = {"kind": "early_stopping", "metric": "validation/accuracy"}

BAD = [
    ({"task": {"kind": "regression"}}, "/task/kind", "task_mismatch", "must be classification"),
    ({"task": {"loss": "mse"}}, "/task/loss", "loss_mismatch", "cross_entropy or binary_cross_entropy"),
    ({"task": {"loss": "binary_cross_entropy"}}, "/task/loss", "loss_mismatch", "Use cross_entropy"),
    ({"task": {"class_weights": [1, 2]}}, "/task/class_weights", "wrong_length", "10 classes; received 2"),
    ({"model": LAYERS_3}, "/model", "invalid_model", "End with a linear layer without features"),
    ({"model": TWINS}, "/model", "invalid_model", "received head twice. Rename one"),
    (
        {"model": NAMED, "regularizers": [{"kind": "dropout", "p": 0.1, "where": "input"}]},
        "/model",
        "invalid_model",
        "received dropout1 twice. Rename one",
    ),
    (
        {"regularizers": [{"kind": "l1", "strength": 1, "select": {"include": ["conv*"]}}]},
        "/regularizers/0/select",
        "matches_nothing",
        "leave select out",
    ),
    (
        {"model": {"kind": "linear"}, "regularizers": [{"kind": "dropout", "p": 0.5}]},
        "/regularizers/0",
        "matches_nothing",
        'Use where="input"',
    ),
    (
        {"data": DIGITS | {"validation_fraction": 0}, "regularizers": [{"kind": "early_stopping"}]},
        "/regularizers/0",
        "cannot_apply",
        "set data.validation_fraction",
    ),
    (
        {"regularizers": [{"kind": "early_stopping"}, {"kind": "early_stopping"}]},
        "/regularizers/1",
        "doubled",
        "remove the second",
    ),
    ({"training": {"batch_size": 5000}}, "/training/batch_size", "batch_too_large", 'use "full"'),
    ({"data": DIGITS | {"train_limit": 5000}}, "/data/train_limit", "limit_too_large", "leave it out"),
    ({"data": DIGITS | {"test_fraction": 0.9999}}, "/data", None, "lower"),
]


@pytest.mark.parametrize(("parts", "pointer", "code", "fragment"), BAD, ids=[f"{b[1]}-{b[2]}" for b in BAD])
def test_what_cannot_be_trained_is_told_by_its_place_and_what_to_do(parts, pointer, code, fragment):
    (error,) = errors_of(**parts)

    assert error.pointer == pointer
    assert code in (None, error.code)
    assert fragment in error.message


@pytest.mark.parametrize(
    ("parts", "pointer"),
    [
        ({"task": {"kind": "classification"}}, "/task/kind"),
        ({"task": {"loss": "cross_entropy"}}, "/task/loss"),
        ({"task": {"class_weights": "balanced"}}, "/task/class_weights"),
        ({"regularizers": [ACCURACY]}, "/regularizers/0"),
    ],
)
def test_regression_refuses_what_needs_classes(parts, pointer):
    errors = errors_of(data={"kind": "builtin", "name": "diabetes"}, **parts)

    assert pointer in [error.pointer for error in errors]


def test_every_wrong_place_is_told_at_once():
    errors = errors_of(
        training={"batch_size": 5000},
        regularizers=[{"kind": "l1", "strength": 1, "select": {"include": ["no"]}}, {"kind": "l2", "strength": 1}],
    )

    assert {error.pointer for error in errors} == {"/training/batch_size", "/regularizers/0/select"}


@pytest.mark.parametrize(
    ("ceilings", "parts", "pointer"),
    [
        (Ceilings(epochs=9), {}, "/training/epochs"),
        (Ceilings(steps=100), {}, "/training/epochs"),
        (Ceilings(parameters=609), {}, "/model"),
        (Ceilings(hidden_layers=1), {"model": {"kind": "mlp", "hidden": [4, 4]}}, "/model/hidden"),
        (Ceilings(layers=3), {}, "/model"),
        (Ceilings(data_bytes=10**5), {}, "/data"),
    ],
)
def test_a_job_beyond_a_ceiling_is_refused_with_the_ceiling(ceilings, parts, pointer):
    plan_of(**parts)

    (error,) = errors_of(ceilings, **parts)

    assert (error.pointer, error.code) == (pointer, "over_ceiling")
    assert "at most" in error.message
    assert "Lower it" in error.message


def test_a_job_at_every_ceiling_is_taken():
    plan_of(Ceilings(epochs=10, steps=plan_of().num_steps, parameters=610, hidden_layers=1, layers=4))


def test_the_contracts_ceilings_are_the_defaults():
    assert Ceilings() == Ceilings(epochs=100_000, parameters=2 * 10**8, steps=10**8, hidden_layers=64, layers=512)


def test_the_first_rows_of_a_limit_are_counted():
    plan = plan_of(data=DIGITS | {"train_limit": 100})

    assert plan.num_rows.train == 100
    assert plan.steps_per_epoch == math.ceil(100 / 64)


def test_doubtful_specs_carry_their_warnings():
    plan = plan_of(optimizer={"kind": "adam"}, regularizers=[{"kind": "l2", "strength": 0.1}])

    assert [warning.code for warning in plan.warnings] == ["l2_in_adaptive_optimizer"]


def test_the_default_batch_is_at_most_the_train_split():
    data = {"kind": "builtin", "name": "wine", "train_limit": 40}

    plan = make_plan({"data": data, "model": {"kind": "linear"}})

    assert (plan.batch_size, plan.resolved_spec.training.batch_size, plan.steps_per_epoch) == (40, 40, 1)
