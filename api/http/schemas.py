"""The base of all response schemas, and the problem, which every operation may answer with."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from regcore.errors import MAX_ERRORS


class View(BaseModel):
    """The base of all responses; made from the store's dataclasses by attribute."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)


class FieldProblem(View):
    """One wrong place: `pointer` into the body, or the `parameter`'s or header's name."""

    pointer: str | None = None
    parameter: str | None = None
    code: str
    message: str


class Problem(View):
    """An error, as RFC 9457 writes it."""

    type: str
    """`urn:regcore:problem:<code>`: for programs."""
    title: str
    status: int
    detail: str
    """What was expected, what came, what to do."""
    instance: str
    request_id: str
    """By this the operator finds the request in the logs."""
    errors: Annotated[list[FieldProblem], Field(max_length=MAX_ERRORS)]
    """Every wrong place; of very many the first."""
    num_errors_left_off: Annotated[int, Field(ge=1)] | None = None
    """How many more there are; absent where all are listed."""
