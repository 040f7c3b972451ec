import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regcore.errors import SpecError
from regcore.spec import apply_patch
from regcore.spec.patch import MAX_OPERATIONS

SPEC = {
    "name": None,
    "training": {"epochs": 10, "seed": 0, "compile": False},
    "regularizers": [{"kind": "l1", "strength": 0.1}, {"kind": "dropout", "p": 0.5}],
}


def changed(*operations):
    return apply_patch(SPEC, list(operations))


def error_of(*operations, at="/patch"):
    with pytest.raises(SpecError) as caught:
        apply_patch(SPEC, list(operations), at=at)
    (error,) = caught.value.errors
    return error


def test_each_operation_does_what_the_rfc_says():
    patched = changed(
        {"op": "test", "path": "/training/epochs", "value": 10},
        {"op": "replace", "path": "/training/epochs", "value": 3},
        {"op": "add", "path": "/regularizers/0", "value": {"kind": "l2", "strength": 1}},
        {"op": "remove", "path": "/regularizers/2"},
        {"op": "copy", "from": "/regularizers/0", "path": "/regularizers/-"},
        {"op": "move", "from": "/training/seed", "path": "/name"},
    )

    l2 = {"kind": "l2", "strength": 1}
    regularizers = [l2, {"kind": "l1", "strength": 0.1}, l2]
    assert patched == {"name": 0, "training": {"epochs": 3, "compile": False}, "regularizers": regularizers}


def test_neither_document_nor_patch_is_changed():
    document = json.loads(json.dumps(SPEC))
    patch = [
        {"op": "add", "path": "/regularizers/-", "value": {"kind": "l2"}},
        {"op": "add", "path": "/regularizers/2/strength", "value": 1},
    ]
    before = json.dumps(patch)

    apply_patch(document, patch)

    assert document == SPEC
    assert json.dumps(patch) == before


def test_an_empty_patch_changes_nothing():
    assert changed() == SPEC


def test_null_is_a_value():
    assert changed({"op": "replace", "path": "/training", "value": None})["training"] is None


def test_members_that_the_rfc_does_not_define_are_ignored():
    assert changed({"op": "remove", "path": "/name", "why": "because", "from": 3}) == changed(
        {"op": "remove", "path": "/name"}
    )


BAD = [
    ({"op": "repalce", "path": "/name", "value": 1}, "/op", "unknown_kind", "Did you mean 'replace'?"),
    ({"path": "/name"}, "/op", "missing_kind", "patch.0.op is required"),
    ({"op": "remove"}, "/path", "missing_field", "patch.0.path is required"),
    ({"op": "add", "path": "/name"}, "/value", "missing_field", "patch.0.value is required"),
    ({"op": "copy", "path": "/name"}, "/from", "missing_field", "patch.0.from is required"),
    ({"op": "remove", "path": "name"}, "/path", "invalid_value", "must be a JSON Pointer such as"),
    ({"op": "remove", "path": 3}, "/path", "string_type", "must be text; received 3"),
    ("remove it", "", "model_attributes_type", "must be a JSON object"),
    ({"op": "remove", "path": "/training/epoch"}, "/path", "path_not_found", "Did you mean 'epochs'?"),
    ({"op": "replace", "path": "/nmae", "value": 1}, "/path", "path_not_found", "the spec has no 'nmae'"),
    ({"op": "replace", "path": "/regularizers/2/p", "value": 1}, "/path", "path_not_found", "the items 0 to 1"),
    ({"op": "add", "path": "/regularizers/3", "value": 1}, "/path", "path_not_found", "or - for the place behind"),
    ({"op": "replace", "path": "/regularizers/-", "value": 1}, "/path", "path_not_found", "the items 0 to 1"),
    ({"op": "remove", "path": "/regularizers/-1"}, "/path", "path_not_found", "the items 0 to 1"),
    ({"op": "remove", "path": "/regularizers/01"}, "/path", "path_not_found", "the items 0 to 1"),
    ({"op": "remove", "path": "/regularizers/²"}, "/path", "path_not_found", "the items 0 to 1"),
    ({"op": "add", "path": "/trainig/epochs", "value": 1}, "/path", "path_not_found", "Did you mean 'training'?"),
    ({"op": "add", "path": "/training/epochs/x", "value": 1}, "/path", "path_not_found", "/training/epochs is 10"),
    ({"op": "copy", "from": "/labels", "path": "/name"}, "/from", "path_not_found", "It has name, training, reg"),
    ({"op": "test", "path": "/training/epochs", "value": 9}, "/value", "test_failed", "expected 9 at"),
    ({"op": "move", "from": "/training", "path": "/training/seed"}, "", "cannot_apply", "patch.0 cannot be applied"),
]


@pytest.mark.parametrize(("operation", "place", "code", "message"), BAD)
def test_a_wrong_operation_is_named_with_its_remedy(operation, place, code, message):
    error = error_of(operation)

    assert (error.pointer, error.code) == (f"/patch/0{place}", code)
    assert message in error.message


def test_the_operation_is_named_by_its_place_and_the_errors_point_to_where_the_patch_lies():
    good = {"op": "remove", "path": "/name"}

    assert error_of(good, good, at="/variants/1/patch").pointer == "/variants/1/patch/1/path"
    assert error_of(good, {"op": "remove"}, at="/variants/1/patch").pointer == "/variants/1/patch/1/path"


def test_a_place_without_items_says_so():
    with pytest.raises(SpecError, match="is a list and has no item"):
        apply_patch({"regularizers": []}, [{"op": "remove", "path": "/regularizers/0"}])
    with pytest.raises(SpecError, match="has the item 0 alone"):
        apply_patch([1], [{"op": "remove", "path": "/1"}])
    with pytest.raises(SpecError, match="It has nothing"):
        apply_patch({}, [{"op": "remove", "path": "/a"}])


def test_a_patch_that_is_no_list_is_refused():
    with pytest.raises(SpecError, match="patch must be a list"):
        apply_patch(SPEC, {"op": "remove", "path": "/name"})


def test_a_patch_cannot_fill_the_memory():
    doubling = [{"op": "copy", "from": "", "path": "/regularizers/-"}] * MAX_OPERATIONS

    with pytest.raises(SpecError, match="larger than 1,000,000 bytes"):
        apply_patch(SPEC, doubling)
    with pytest.raises(SpecError, match="at most 1000"):
        apply_patch(SPEC, [*doubling, *doubling])


def test_a_patch_cannot_nest_beyond_what_can_be_read():
    nest = [{"op": "add", "path": "", "value": {"a": None}}]
    nest += [{"op": "copy", "from": "", "path": "/a" * 2**power} for power in range(14)]

    with pytest.raises(SpecError, match=r"cannot be applied|larger than"):
        apply_patch(SPEC, nest)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~0", max_size=2), inner, max_size=3),
    max_leaves=8,
)
pointers = st.lists(st.sampled_from(["name", "training", "regularizers", "0", "1", "-", "~1", ""])).map(
    lambda parts: "".join(f"/{part}" for part in parts)
)
operations = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
        "path": pointers,
        "from": pointers,
        "value": json_values,
    }
)


@given(st.lists(operations | json_values, max_size=4))
@settings(max_examples=200, deadline=None)
def test_whatever_comes_is_applied_or_refused_with_its_place(patch):
    wrong = []
    try:
        json.dumps(apply_patch(SPEC, patch))
    except SpecError as error:
        wrong = error.errors

    assert all(entry.pointer.startswith("/patch") for entry in wrong)
