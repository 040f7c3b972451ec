"""The base of every object that a job spec is made of."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Immutable, finite, and without unknown fields: a misspelt field is an error, never silence."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True, validate_default=True
    )
