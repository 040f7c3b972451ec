import math

import pytest
from pydantic import ValidationError

from regcore.frozen import Frozen, Fusible
from regcore.layers import LAYERS
from regcore.optim import OPTIMIZERS
from regcore.regularizers import REGULARIZERS


class Point(Frozen):
    x: float = 0.0
    """How far right."""


def test_it_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Point().x = 1


def test_a_field_that_it_has_not_is_refused():
    with pytest.raises(ValidationError, match="y"):
        Point.model_validate({"y": 1})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_its_numbers_are_finite(value):
    with pytest.raises(ValidationError, match="finite"):
        Point(x=value)


def test_docstrings_of_fields_are_their_descriptions():
    assert Point.model_json_schema()["properties"]["x"]["description"] == "How far right."


def test_defaults_are_held_to_the_bounds_too():
    class Wrong(Frozen):
        x: float = math.nan

    with pytest.raises(ValidationError, match="finite"):
        Wrong()


def test_a_part_that_says_nothing_of_it_trains_alone():
    class Silent(Fusible):
        pass

    assert Silent.member_fields is None


@pytest.mark.parametrize("part", [*LAYERS, *OPTIMIZERS, *REGULARIZERS.values()], ids=lambda part: part.__name__)
def test_members_may_differ_only_in_fields_that_there_are_and_never_in_kind(part):
    """A misspelt name would silently keep members apart."""
    assert (part.member_fields or frozenset()) <= part.model_fields.keys() - {"kind", "name", "select"}
