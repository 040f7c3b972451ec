import pytest

from regcore import parse_spec
from regcore.data.facts import known_facts
from regcore.plan.objective import resolve_task
from regcore.plan.problems import Problems


def resolved(name, **task):
    spec = parse_spec({"data": {"kind": "builtin", "name": name}, "model": {"kind": "linear"}, "task": task})
    problems = Problems()
    return resolve_task(spec, known_facts(spec), problems), [error.pointer for error in problems.errors]


@pytest.mark.parametrize(
    ("name", "kind", "loss"), [("wine", "classification", "cross_entropy"), ("diabetes", "regression", "mse")]
)
def test_the_data_decide_what_is_left_to_them(name, kind, loss):
    task, errors = resolved(name)

    assert not errors
    assert (task.kind, task.loss) == (kind, loss)


def test_a_loss_of_another_task_is_refused_with_those_that_fit():
    task, errors = resolved("wine", loss="huber")

    assert errors == ["/task/loss"]
    assert task.loss == "cross_entropy"


def test_a_single_logit_needs_two_classes():
    assert resolved("wine", loss="binary_cross_entropy")[1] == ["/task/loss"]
    assert resolved("breast-cancer", loss="binary_cross_entropy")[1] == []


@pytest.mark.parametrize(("name", "weights"), [("diabetes", "balanced"), ("wine", [1.0, 2.0])])
def test_class_weights_need_as_many_classes(name, weights):
    assert resolved(name, class_weights=weights)[1] == ["/task/class_weights"]
