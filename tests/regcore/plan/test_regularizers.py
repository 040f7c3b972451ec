from regcore import parse_spec
from regcore.plan.plan import RowCounts
from regcore.plan.problems import Problems
from regcore.plan.regularizers import plan_regularizers
from regcore.shapes import RowInfo, TensorInfo

TENSORS = [TensorInfo("head.weight", (3, 4)), TensorInfo("head.bias", (3,), "bias")]


def planned(*regularizers, validation=10):
    spec = {"data": {"kind": "builtin", "name": "wine"}, "model": {"kind": "linear"}, "regularizers": regularizers}
    resolved = parse_spec(spec | {"task": {"kind": "classification", "loss": "cross_entropy"}})
    problems = Problems()
    rows = RowCounts(train=10, validation=validation, test=0)
    return plan_regularizers(resolved, TENSORS, {"head": "linear"}, RowInfo((4,)), rows, 3, problems), problems.errors


def test_each_has_a_name_of_its_own_and_what_it_touches():
    plans, errors = planned({"kind": "l1", "strength": 1}, {"kind": "l1", "strength": 2}, {"kind": "early_stopping"})

    assert not errors
    assert [(plan.name, plan.parameters) for plan in plans] == [
        ("l1", ["head.weight"]),
        ("l1_2", ["head.weight"]),
        ("early_stopping", []),
    ]


def test_one_that_lacks_something_is_told_at_its_place():
    _, errors = planned({"kind": "early_stopping"}, validation=0)

    assert [(error.pointer, error.code) for error in errors] == [("/regularizers/0", "cannot_apply")]


def test_what_can_be_there_once_is_refused_twice():
    _, errors = planned({"kind": "early_stopping"}, {"kind": "early_stopping", "patience": 3})

    assert [(error.pointer, error.code) for error in errors] == [("/regularizers/1", "doubled")]
