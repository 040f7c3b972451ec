import pytest

from regcore import parse_spec
from regcore.plan.network import expand
from regcore.plan.problems import Problems
from regcore.shapes import RowInfo


def expanded(layers, **parts):
    spec = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "layers", "layers": layers}}
    problems = Problems()
    resolved = parse_spec(spec | {"task": {"kind": "classification", "loss": "cross_entropy"}} | parts)
    return expand(resolved, RowInfo((1, 8, 8)), 10, problems), problems.errors


def test_what_may_be_omitted_is_filled_in():
    layers, errors = expanded([{"kind": "linear"}])

    assert not errors
    assert [layer.kind for layer in layers] == ["flatten", "linear"]
    assert layers[1].features == 10


def test_surgery_comes_after_it():
    layers, _ = expanded([{"kind": "linear"}], regularizers=[{"kind": "dropout", "p": 0.1, "where": "input"}])

    assert [layer.kind for layer in layers] == ["dropout", "flatten", "linear"]


@pytest.mark.parametrize(
    ("layers", "fragment"),
    [
        ([{"kind": "linear", "features": 3}], "must end in 10 output"),
        ([{"kind": "linear"}, {"kind": "linear"}], "features may be omitted only if it is the model's last layer"),
        ([{"kind": "linear"}, {"kind": "batch_norm"}], "features may be omitted only if it is the model's last layer"),
        ([{"kind": "linear", "features": 4, "name": "a"}, {"kind": "linear", "name": "a"}], "received a twice"),
    ],
)
def test_a_model_that_cannot_be_is_refused_at_its_place(layers, fragment):
    _, errors = expanded(layers)

    assert [error.pointer for error in errors] == ["/model"]
    assert fragment in errors[0].message
