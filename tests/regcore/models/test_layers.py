import pytest
from pydantic import TypeAdapter, ValidationError

from regcore.shapes import RowInfo
from regcore.spec.kinds import AnyModel

read = TypeAdapter(AnyModel).validate_python


def test_layers_are_what_was_written():
    layers = [{"kind": "flatten"}, {"kind": "linear", "features": 4}, {"kind": "dropout", "p": 0.25}]

    model = read({"kind": "layers", "layers": layers})

    assert [layer.kind for layer in model.expand(RowInfo((3,)))] == ["flatten", "linear", "dropout"]
    assert list(model.written_layers) == list(model.layers)
    assert model.num_written == 3


def test_a_list_of_layers_is_not_empty():
    with pytest.raises(ValidationError, match="layers"):
        read({"kind": "layers", "layers": []})
