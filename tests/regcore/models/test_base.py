import pytest
from pydantic import TypeAdapter

from regcore.shapes import RowInfo
from regcore.spec.kinds import MODELS, AnyModel

read = TypeAdapter(AnyModel).validate_python


@pytest.mark.parametrize("kind", [kind for kind, model in MODELS.items() if not model.only_in_python])
def test_every_model_says_what_it_is_and_counts_what_it_writes(kind):
    model = read(MODELS[kind].example)

    assert model.summary.endswith(".")
    assert model.formula
    assert model.source
    assert model.num_written <= len(model.expand(RowInfo((1, 8, 8))))
    assert model.expand(RowInfo((1, 8, 8)))
