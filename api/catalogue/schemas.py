"""The catalogue as users see it."""

from typing import Annotated

from pydantic import Field

from api.http.schemas import View
from jobs.model import Json


class CatalogueEntryView(View):
    """One kind that a spec may name."""

    kind: str
    summary: str
    formula: str
    source: str
    schema_: Annotated[Json, Field(alias="schema")]
    """JSON Schema of its fields."""
    example_job: Json | None
    """A whole job spec with it, which trains offline in seconds; null if no built-in set has the rows that it needs."""


class Catalogue(View):
    """Every kind of one family."""

    data: list[CatalogueEntryView]
