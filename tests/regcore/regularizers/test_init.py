from importlib import import_module
from pathlib import Path

import regcore.regularizers
from regcore.regularizers import REGULARIZERS


def test_every_file_is_a_regularizer_by_its_name():
    folder = Path(regcore.regularizers.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "base"}

    assert set(REGULARIZERS) == files


def test_a_regularizer_lives_in_the_file_of_its_kind():
    for kind, regularizer in REGULARIZERS.items():
        assert regularizer is getattr(import_module(f"regcore.regularizers.{kind}"), regularizer.__name__)
