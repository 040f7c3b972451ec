import pytest

from regcore import parse_spec
from regcore.plan.network import expand
from regcore.plan.problems import Problems
from regcore.shapes import RowInfo

RELU = {"kind": "activation", "name": "relu"}


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
    ("layers", "pointer", "fragment"),
    [
        ([{"kind": "linear", "features": 3}], "/model", "must end in 10 output"),
        ([{"kind": "linear"}, {"kind": "linear"}], "/model/layers/0", "layers[0] linear: features may be omitted only"),
        ([{"kind": "linear"}, {"kind": "batch_norm"}], "/model/layers/0", "only if it is the model's last layer"),
        (
            [{"kind": "conv2d", "channels": 3}, RELU, {"kind": "flatten"}, {"kind": "conv2d", "channels": 4}],
            "/model/layers/3",
            "layers[3] conv2d expects (C, H, W); it gets (108,) from layers[2] flatten",
        ),
        (
            [{"kind": "embedding", "features": 3}, {"kind": "linear"}],
            "/model/layers/0",
            "layers[0] embedding expects tokens, which are integers; it gets numbers, (1, 8, 8) from the rows",
        ),
        (
            [{"kind": "transformer_block", "num_heads": 3}, {"kind": "linear"}],
            "/model/layers/0",
            "layers[0] transformer_block: attention of 3 heads expects a multiple of 3 features, (steps, features); "
            "it gets (8, 8) from the rows",
        ),
        (
            [{"kind": "linear", "features": 4, "name": "a"}, {"kind": "linear", "name": "a"}],
            "/model",
            "received a twice",
        ),
    ],
)
def test_a_model_that_cannot_be_is_refused_at_its_place(layers, pointer, fragment):
    _, errors = expanded(layers)

    assert [error.pointer for error in errors] == [pointer]
    assert fragment in errors[0].message
