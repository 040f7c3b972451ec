import math

import pytest
from pydantic import ValidationError

from regcore.frozen import Frozen


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
