import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regcore.errors import SpecError
from regcore.plan import make_plan
from regcore.spec import JobSpec, json_pointer, parse_spec
from regcore.spec.validation import takes_whole_numbers

GOOD = {
    "spec_version": 1,
    "name": "a name",
    "labels": {"a/b": "c"},
    "data": {"kind": "builtin", "name": "digits", "test_fraction": 0.2},
    "task": {"kind": "auto", "class_weights": [1.0, 2.0]},
    "model": {"kind": "layers", "layers": [{"kind": "linear", "features": 4}, {"kind": "linear"}]},
    "optimizer": {"kind": "adam", "schedule": {"kind": "step"}},
    "regularizers": [
        {"kind": "l1", "strength": 0.1, "select": {"include": ["*"]}},
        {"kind": "dropout", "p": 0.5, "where": ["linear1"]},
    ],
    "training": {"epochs": 2, "batch_size": "full"},
    "resources": {"pool": None},
    "init_from": {"job_id": "job_" + "0" * 26},
}


def replaced(pointer, value):
    """The good spec with another value at one place."""
    spec = json.loads(json.dumps(GOOD))
    *holders, last = [int(part) if part.isdigit() else part for part in pointer.split("/")[1:]]
    node = spec
    for part in holders:
        node = node[part]
    node[last] = value
    return spec


def errors_of(spec):
    with pytest.raises(SpecError) as caught:
        parse_spec(spec)
    return caught.value.errors


BAD = [
    ("/nmae", "x", "unknown_field", "Did you mean 'name'?"),
    ("/spec_version", 2, "unknown_value", "must be one of 1; received 2"),
    ("/data/name", "digitz", "unknown_value", "Did you mean 'digits'?"),
    ("/data/kind", "bultin", "unknown_kind", "Did you mean 'builtin'?"),
    ("/data/test_fraction", 1, "less_than", "must be below 1.0; received 1"),
    ("/data/seed", 0, "unknown_field", "Remove it"),
    (
        "/model/kind",
        "conv",
        "unknown_kind",
        'must be one of autoencoder, cnn, layers, linear, mlp, module, rnn, torchvision, transformer; received "conv"',
    ),
    ("/model/kind", ["mlp"], "unknown_kind", 'received ["mlp"]. Did you mean'),
    ("/training/kind", [], "unknown_field", "Remove it"),
    ("/model/layers/0/featurs", 3, "unknown_field", "Did you mean 'features'?"),
    ("/model/layers/0/kind", "liner", "unknown_kind", "Did you mean 'linear'?"),
    ("/model/layers/0/name", "9", "string_pattern_mismatch", 'received "9"'),
    ("/model/layers/0/features", 0, "greater_than_equal", "received 0"),
    ("/optimizer/learning_rate", 0, "greater_than", "received 0"),
    ("/optimizer/learning_rate", "fast", "float_type", 'received "fast"'),
    ("/optimizer/lr", 0.1, "unknown_field", "Remove it"),
    ("/optimizer/learning_rat", 0.1, "unknown_field", "Did you mean 'learning_rate'?"),
    ("/optimizer/schedule/kind", "cosin", "unknown_kind", "Did you mean 'cosine'?"),
    ("/optimizer/schedule/gama", 0.1, "unknown_field", "Did you mean 'gamma'?"),
    ("/regularizers/0/kind", "drop_out", "unknown_kind", "Did you mean 'dropout'?"),
    ("/regularizers/0/strength", -1, "greater_than_equal", "received -1"),
    ("/regularizers/0/strength", float("nan"), "not_finite", "finite"),
    ("/regularizers/0/strenght", 1, "unknown_field", "Did you mean 'strength'?"),
    ("/regularizers/0/method", "proximl", "unknown_value", "Did you mean 'proximal'?"),
    ("/regularizers/0/select/includes", ["*"], "unknown_field", "Did you mean 'include'?"),
    ("/regularizers/0/select/include", [], "too_short", "received []"),
    ("/regularizers/1/p", 1, "less_than", "received 1"),
    ("/regularizers/1/where", {}, None, "received {}"),
    ("/regularizers/1/where", 3, None, "received 3"),
    ("/task/class_weights", "balancd", None, 'received "balancd"'),
    ("/task/class_weights", {"0": 1}, None, 'received {"0": 1}'),
    ("/task/class_weights/1", 0, "greater_than", "received 0"),
    ("/training/batch_size", {}, None, "received {}"),
    ("/training/batch_size", "ful", None, "Did you mean 'full'?"),
    ("/training/batch_size", 0, None, "received 0"),
    ("/training/epochs", 1.5, "int_type", "received 1.5"),
    ("/training/seed", 2**63, "less_than", "received 9223372036854775808"),
    ("/resources/pool", "no spaces", "string_pattern_mismatch", 'received "no spaces"'),
    ("/resources/num_devices", 2, "unknown_value", "must be one of 1; received 2"),
    ("/resources/num_devices", True, "unknown_value", "must be one of 1; received true"),
    ("/spec_version", True, "unknown_value", "must be one of 1; received true"),
    ("/labels/a~1b", 3, "string_type", "received 3"),
    ("/name", "two\nlines", "invalid_value", "free of control characters and line breaks"),
    ("/priority", "urgent", "unknown_value", 'must be one of low, normal, high; received "urgent"'),
    ("/init_from/job_id", "job_1", "string_pattern_mismatch", 'received "job_1"'),
    ("/init_from/jobid", "job_1", "unknown_field", "Did you mean 'job_id'?"),
    ("/exports", [{"kind": "onnx"}], "too_long", "received"),
]


@pytest.mark.parametrize(("pointer", "value", "code", "fragment"), BAD, ids=[f"{b[0]}={b[1]!r}" for b in BAD])
def test_a_bad_value_is_told_by_its_place_what_came_and_what_to_do(pointer, value, code, fragment):
    place = pointer.replace("~1", "~").split("/")
    spec = replaced("/".join(place), value) if "~" not in pointer else GOOD | {"labels": {"a/b": value}}

    errors = errors_of(spec)

    assert [error.pointer for error in errors] == [pointer]
    assert code in (None, errors[0].code)
    assert fragment in errors[0].message
    assert pointer.rsplit("/", 1)[-1].replace("~1", "/") in errors[0].message


@pytest.mark.parametrize(
    ("pointer", "code"),
    [
        ("/data", "missing_field"),
        ("/model", "missing_field"),
        ("/data/kind", "missing_kind"),
        ("/data/name", "missing_field"),
        ("/regularizers/0/kind", "missing_kind"),
        ("/regularizers/0/strength", "missing_field"),
        ("/regularizers/1/p", "missing_field"),
    ],
)
def test_what_is_missing_is_told_by_the_place_where_it_belongs(pointer, code):
    spec = replaced(pointer, None)
    *holders, last = [int(part) if part.isdigit() else part for part in pointer.split("/")[1:]]
    node = spec
    for part in holders:
        node = node[part]
    del node[last]

    errors = errors_of(spec)

    assert [(error.pointer, error.code) for error in errors] == [(pointer, code)]


@pytest.mark.parametrize("body", [None, [], "spec", 3, True])
def test_a_body_that_is_no_object_is_told_at_the_root(body):
    (error,) = errors_of(body)

    assert error.pointer == ""
    assert error.message.startswith("the body must be a JSON object")


def test_every_wrong_place_is_told_at_once():
    spec = replaced("/training/epochs", 0) | {"priority": "urgent", "nmae": 1}

    assert {error.pointer for error in errors_of(spec)} == {"/training/epochs", "/priority", "/nmae"}


def test_the_exceptions_text_names_every_place():
    with pytest.raises(SpecError) as caught:
        parse_spec(replaced("/training/epochs", 0) | {"priority": "urgent"})

    assert "/training/epochs: " in str(caught.value)
    assert "/priority: " in str(caught.value)


def test_a_long_value_is_shown_in_part():
    (error,) = errors_of(replaced("/training/precision", "x" * 10_000))

    assert len(error.message) < 300


@pytest.mark.parametrize(
    ("part", "pointer", "said"),
    [
        ({1: 2}, "/1", "each name in the body must be text; received 1. Correct the name."),
        ({(1, 2): 2}, "/(1, 2)", "each name in the body must be text; received [1, 2]. Correct the name."),
        ({"labels": {1: "x"}}, "/labels/1", "each name in labels must be text; received 1. Correct the name."),
        ({"labels": {"": "x"}}, "/labels/", "each name in labels should match pattern"),
        ({"": 2}, "/", '"" is not a field here'),
    ],
    ids=str,
)
def test_a_name_that_cannot_be_one_is_told_as_a_name(part, pointer, said):
    (error,) = errors_of(GOOD | part)

    assert error.pointer == pointer
    assert error.message.startswith(said)


UNREADABLE = [Decimal("sNaN"), Fraction(10**400), {(1, 2): 3}]


def deep(num_levels):
    value = {}
    for level in range(num_levels):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize("value", [*UNREADABLE, deep(480), deep(900), deep(3000)], ids=lambda value: str(type(value)))
@pytest.mark.parametrize("pointer", ["/training/epochs", "/model", "/model/layers", "/name", "/regularizers/1/where"])
def test_what_no_json_can_say_is_an_error_of_its_place(pointer, value):
    spec = replaced(pointer, None)
    *holders, last = [int(part) if part.isdigit() else part for part in pointer.split("/")[1:]]
    node = spec
    for part in holders:
        node = node[part]
    node[last] = value

    with pytest.raises(SpecError) as caught:
        make_plan(spec)

    assert any(error.pointer.startswith(pointer) for error in caught.value.errors)


def test_a_field_that_is_called_as_its_kind_is_told_by_its_place():
    errors = errors_of(GOOD | {"regularizers": [{"kind": "weight_decay", "weight_decay": {"strength": 0.1}}]})

    assert {error.pointer for error in errors} == {"/regularizers/0/strength", "/regularizers/0/weight_decay"}


def test_a_bad_key_of_labels_is_told_by_its_key():
    (error,) = errors_of(GOOD | {"labels": {"a b": "c"}})

    assert error.pointer == "/labels/a b"


def test_a_spec_that_is_one_already_stays_itself():
    spec = JobSpec.model_validate(GOOD)

    assert parse_spec(spec) is spec


@pytest.mark.parametrize(
    ("path", "pointer"),
    [([], ""), (["a", 0, "b"], "/a/0/b"), (["a/b"], "/a~1b"), (["m~n"], "/m~0n"), (["~1"], "/~01"), ([""], "/")],
)
def test_json_pointers_are_those_of_rfc_6901(path, pointer):
    assert json_pointer(path) == pointer


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)


def places(node, pointer=""):
    """The pointers of all places in a JSON value."""
    yield pointer
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for part, child in items:
        yield from places(child, pointer + json_pointer([part]))


REPLACEABLE = sorted(set(places(GOOD)) - {"", "/labels/a~1b"})


# The machine may be busy, and the first error builds the whole schema.
@settings(deadline=None)
@given(pointer=st.sampled_from(REPLACEABLE), value=json_values)
def test_whatever_comes_is_a_spec_or_an_error_at_a_place_that_the_sender_wrote(pointer, value):
    spec = replaced(pointer, value)

    try:
        parse_spec(spec)
    except SpecError as error:
        wrong = error.errors
    else:
        wrong = []

    written = set(places(spec))
    for error in wrong:
        holder = error.pointer.rpartition("/")[0]
        assert error.pointer in written or (holder in written and error.code.startswith("missing_"))
        assert error.message


@pytest.mark.parametrize(
    ("place", "is_whole"),
    [
        (("training", "epochs"), True),
        (("training", "batch_size"), True),
        (("data", "train_limit"), True),
        (("model", "layers", 0, "features"), True),
        (("regularizers", 0, "strength"), False),
        (("optimizer", "schedule", "warmup_epochs"), False),
        (("task", "class_weights", 0), False),
        (("training", "precision"), False),
        (("regularizers", 0, "p"), False),
        (("nothing", "there"), False),
        (("regularizers", 9, "p"), False),
    ],
)
def test_the_schema_says_which_fields_take_whole_numbers_alone(place, is_whole):
    assert takes_whole_numbers(place, GOOD) is is_whole


def test_a_field_is_of_the_kind_that_its_object_says():
    spec = {"model": {"kind": "mlp", "hidden": [8]}, "regularizers": [{"kind": "early_stopping"}, 5]}

    assert takes_whole_numbers(("model", "hidden", 1), spec)
    assert takes_whole_numbers(("regularizers", 0, "patience"), spec)
    assert not takes_whole_numbers(("regularizers", 0, "min_delta"), spec)
    assert not takes_whole_numbers(("regularizers", 1, "patience"), spec)


@pytest.mark.parametrize(
    ("teacher", "pointer", "said"),
    [
        (
            {"job_id": "job_" + "0" * 26, "model": {"kind": "linear"}},
            "/regularizers/0/teacher/model",
            "regularizers.0.teacher.model is not a field here; there are job_id. Remove it, or correct its name. "
            "It is model, a field of the whole or regularizers.teacher.model.",
        ),
        (
            {"model": {"kind": "linear"}, "optimiser": {"kind": "adam"}},
            "/regularizers/0/teacher/optimiser",
            "regularizers.0.teacher.optimiser is not a field here; there are model, optimizer, regularizers, training, "
            "data. Remove it, or correct its name. Did you mean 'optimizer'?",
        ),
        (
            {"model": {"kind": "mlp", "hidden": [8], "activation": "rel"}},
            "/regularizers/0/teacher/model/activation",
            "regularizers.0.teacher.model.activation must be one of",
        ),
    ],
    ids=["finished", "described", "a field inside"],
)
def test_a_part_that_is_told_apart_by_its_fields_names_those_that_there_are(teacher, pointer, said):
    (error,) = errors_of(GOOD | {"regularizers": [{"kind": "knowledge_distillation", "teacher": teacher}]})

    assert error.pointer == pointer
    assert error.message.startswith(said)


def test_a_field_inside_a_part_without_a_kind_is_found_in_the_schema():
    teacher = {"model": {"kind": "mlp", "hidden": [8]}, "optimizer": {"kind": "adam"}}
    spec = GOOD | {"regularizers": [{"kind": "knowledge_distillation", "teacher": teacher}]}
    inside = ("regularizers", 0, "teacher")

    assert takes_whole_numbers((*inside, "model", "hidden", 0), spec)
    assert not takes_whole_numbers((*inside, "optimizer", "learning_rate"), spec)


def test_words_that_several_types_of_a_field_take_are_listed_together():
    (error,) = errors_of(GOOD | {"task": {"kind": "ranking"}})

    assert error.message.startswith(
        'task.kind must be one of auto, classification, reconstruction, regression; received "ranking".'
    )


@pytest.mark.parametrize("field", ["init_from", "teacher"])
def test_a_job_id_in_place_of_the_object_that_names_it_is_told_how_to_write_it(field):
    job_id = "job_" + "0" * 26
    taught = {"kind": "knowledge_distillation", "teacher": job_id}
    (error,) = errors_of(GOOD | ({"init_from": job_id} if field == "init_from" else {"regularizers": [taught]}))

    assert error.message.endswith(f'Write {{"job_id": "{job_id}"}}.')
