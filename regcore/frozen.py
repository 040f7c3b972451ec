"""The bases of all objects in a spec, and of those that follow from it."""

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from regcore.json_values import plain, whole


class Immutable(BaseModel):
    """Immutable, finite, strict, without unknown fields: a misspelt field, or "5" for 5, is an error."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema, in which the texts below fields describe them.

        pydantic's own `use_attribute_docstrings` reads the sources when a class is made: a third of the time of an
        import, and most processes never ask for a schema.
        """
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in _texts_below_fields(cls).items():
            if name in properties:
                properties[name].setdefault("description", text)
        return schema


class Frozen(Immutable):
    """What users write: 32.0 is a whole number, as in JSON, and Python users may pass NumPy's numbers and tuples."""

    @model_validator(mode="before")
    @classmethod
    def _as_json(cls, given: Any) -> Any:
        fields = plain(given)
        if not isinstance(fields, dict):
            return fields
        return fields | {name: whole(fields[name]) for name in _fields_of_integers(cls) & fields.keys()}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values, validated like a user's; pydantic's own copy does not validate.

        Raises:
            ValidationError: A field does not take its value.
        """
        if not update:
            return super().model_copy(deep=deep)
        copied = super().model_copy(deep=deep)
        return type(self).model_validate({name: getattr(copied, name) for name in self.model_fields_set} | {**update})


class Fusible(Frozen):
    """A part of a spec that acts on a stack of members: a layer, an optimizer, a regularizer."""

    member_fields: ClassVar[frozenset[str] | None] = None
    """Fields in which the members of one training pass may differ; None if a job with this part trains alone."""

    @property
    def is_fusible(self) -> bool:
        """Whether it, and every part inside it, can act on several members."""
        return self.member_fields is not None and all(part.is_fusible for part in self._parts())

    def structure(self) -> dict[str, Any]:
        """What all members of a training pass share of it, as JSON."""
        shared = self.model_dump(mode="json", exclude=set(self.member_fields or ()))
        for name in shared:
            value = getattr(self, name)
            if isinstance(value, list | tuple) and any(isinstance(item, Fusible) for item in value):
                shared[name] = [item.structure() for item in value]
        return shared

    def _parts(self) -> "list[Fusible]":
        values = [getattr(self, name) for name in type(self).model_fields]
        return [
            item for value in values if isinstance(value, list | tuple) for item in value if isinstance(item, Fusible)
        ]


@cache
def _texts_below_fields(model: type[BaseModel]) -> dict[str, str]:
    """The text below each field, by the field's name; a subclass may describe a field anew."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if issubclass(one, Immutable):
            found |= _written_texts(one)
    return found


def _written_texts(model: type[BaseModel]) -> dict[str, str]:
    written = _classes_of(model.__module__).get(model.__name__)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(written.body if written is not None else [])
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }


@cache
def _classes_of(module: str) -> dict[str, ast.ClassDef]:
    """The classes of a module as they are written, by name; none of a notebook's, which has no source."""
    try:
        source = inspect.getsource(sys.modules[module])
    except (KeyError, OSError, TypeError):
        return {}
    return {node.name: node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)}


@cache
def _fields_of_integers(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(name for name, field in model.model_fields.items() if _takes_integers(field.annotation))


def _takes_integers(annotation: Any) -> bool:
    """Whether values of this type, or items of such a list, are whole numbers. No field takes both kinds of numbers."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return any(type(part) is int for part in parts)
    if origin is Annotated:
        return _takes_integers(parts[0])
    if origin in (Union, UnionType, list, tuple):
        return any(map(_takes_integers, parts))
    return annotation is int
