import math
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import Field, ValidationError

import regcore.study.sweep  # noqa: F401 - so that every part of a spec is known
from regcore.frozen import Frozen, Fusible
from regcore.spec.kinds import LAYERS, OPTIMIZERS, REGULARIZERS


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


@pytest.mark.parametrize(
    "part", [*LAYERS.values(), *OPTIMIZERS.values(), *REGULARIZERS.values()], ids=lambda part: part.__name__
)
def test_members_may_differ_only_in_fields_that_there_are_and_never_in_kind(part):
    """A misspelt name would silently keep members apart."""
    assert (part.member_fields or frozenset()) <= part.model_fields.keys() - {"kind", "name", "select"}


class Counted(Frozen):
    whole: int = 1
    either: Annotated[int, Field(ge=1)] | Literal["full"] = 1
    several: list[Annotated[int, Field(ge=1)]] = Field(default=[])
    maybe: int | None = None
    number: float = 0.0
    anything: Any = None


def test_a_number_without_a_fraction_is_a_whole_number():
    found = Counted(whole=32.0, either=1e3, several=[2, 4.0], maybe=7.0, number=2.0, anything=[4.0])

    assert repr(found) == "Counted(whole=32, either=1000, several=[2, 4], maybe=7, number=2.0, anything=[4.0])"


@pytest.mark.parametrize("value", ["32", True, 3.5, math.nan, math.inf, None])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(ValidationError):
        Counted(whole=value)


def test_numpys_numbers_and_tuples_say_what_pythons_do():
    found = Counted(whole=np.arange(3)[1], several=(np.int8(4), 5), number=np.float32(0.5), anything=(np.float64(1.5),))

    assert repr(found) == "Counted(whole=1, either=1, several=[4, 5], maybe=None, number=0.5, anything=[1.5])"


def test_numpys_booleans_are_no_numbers():
    with pytest.raises(ValidationError):
        Counted(whole=np.bool_(True))


def test_a_copy_with_another_value_is_held_to_the_bounds():
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Counted().model_copy(update={"several": [0]})


def test_a_copy_keeps_what_was_set():
    copied = Counted(whole=2).model_copy(update={"number": 0.5})

    assert (copied.whole, copied.number) == (2, 0.5)
    assert copied.model_fields_set == {"whole", "number"}


def subclasses_of(base):
    return [base, *(found for part in base.__subclasses__() for found in subclasses_of(part))]


PARTS = [part for part in subclasses_of(Frozen) if part.__module__.startswith("regcore.")]


def own_types(field):
    """The JSON types that a field's schema takes, alone or in a list."""
    branches = field.get("anyOf", [field])
    items = [branch["items"] for branch in branches if "items" in branch]
    return {branch.get("type") for branch in branches} | {kind for item in items for kind in own_types(item)}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_wherever_the_schema_says_integer_a_point_is_read_and_nowhere_else(part):
    types = {name: own_types(field) for name, field in part.model_json_schema().get("properties", {}).items()}
    integers = {name for name, taken in types.items() if "integer" in taken}

    read = part._as_json(dict.fromkeys(types, 4.0))

    assert {name for name, value in read.items() if type(value) is int} == integers
    assert not any({"integer", "number"} <= taken for taken in types.values())
