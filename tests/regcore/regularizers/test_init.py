from importlib import import_module
from pathlib import Path

import pytest

import regcore.regularizers
from regcore.spec.catalogue import catalogue
from regcore.spec.kinds import REGULARIZERS


def test_every_file_is_a_regularizer_by_its_name():
    folder = Path(regcore.regularizers.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "augmentation", "base", "effect", "mixtures"}

    assert set(REGULARIZERS) == files


def test_a_regularizer_lives_in_the_file_of_its_kind():
    for kind, regularizer in REGULARIZERS.items():
        assert regularizer is getattr(import_module(f"regcore.regularizers.{kind}"), regularizer.__name__)


@pytest.mark.parametrize("kind", REGULARIZERS)
def test_every_number_says_which_end_of_it_regularizes_more(kind):
    (fields,) = (entry.schema_["properties"] for entry in catalogue("regularizers") if entry.kind == kind)
    numbers = {
        name
        for name, schema in fields.items()
        if any(one.get("type") in ("number", "integer") for one in (schema, *schema.get("anyOf", ())))
    }

    assert REGULARIZERS[kind].stronger.keys() == numbers
    assert set(REGULARIZERS[kind].stronger.values()) <= {"larger", "smaller", None}
