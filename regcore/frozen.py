"""The base of every object that a job spec is made of."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Immutable, finite, strict, without unknown fields: a misspelt field, or "5" for 5, is an error and no guess."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        validate_default=True,
    )


class Fusible(Frozen):
    """A part of a spec that acts on a stack of members: a layer, an optimizer, a regularizer."""

    member_fields: ClassVar[frozenset[str] | None] = None
    """Fields in which the members of one training pass may differ; None where a job with this part trains alone."""
