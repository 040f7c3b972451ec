"""The catalogue: each kind with its formula, source, JSON schema and a job that trains in seconds."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from regcore.data.catalogue import BUILTIN
from regcore.spec.data import BuiltinData
from regcore.spec.kinds import LAYERS, MODELS, OPTIMIZERS, REGULARIZERS


class CatalogueEntry(BaseModel):
    """One kind that a spec may name."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    kind: str
    summary: str
    formula: str
    source: str
    schema_: dict[str, Any] = Field(validation_alias="schema", serialization_alias="schema")
    """JSON Schema of its fields."""
    example_job: dict[str, Any]
    """A whole job spec with it that trains offline in seconds."""


def catalogue(family: str, limit: int | None = None) -> list[CatalogueEntry]:
    """The entries of one family: regularizers, models, layers, optimizers or builtin-datasets.

    Args:
        family: Its name.
        limit: The most entries, of those that come first; None for all.
    """
    return list(islice(FAMILIES[family](), limit))


def _example(**parts: Any) -> dict[str, Any]:
    job = {
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "mlp", "hidden": [32]},
        "training": {"epochs": 3},
    }
    return job | parts


def _entry(spec: Any, example_job: dict[str, Any]) -> CatalogueEntry:
    return CatalogueEntry(
        kind=spec.model_fields["kind"].default,
        summary=spec.summary,
        formula=spec.formula,
        source=spec.source,
        schema_=_schema_of(spec),
        example_job=example_job,
    )


def _schema_of(spec: type[BaseModel]) -> dict[str, Any]:
    """The schema with the fields at its top, also of a layer that may hold others of its kind."""
    schema = spec.model_json_schema()
    own = schema.pop("$ref", "").rpartition("/")[2]
    return {**schema["$defs"][own], **schema} if own else schema


def _regularizers() -> Iterator[CatalogueEntry]:
    for spec in REGULARIZERS.values():
        parts = {"data": spec.example_data, "model": spec.example_model, "regularizers": [spec.example]}
        yield _entry(spec, _example(**parts))


def _models() -> Iterator[CatalogueEntry]:
    for spec in MODELS.values():
        if not spec.only_in_python:
            yield _entry(spec, _example(data=spec.example_data, model=spec.example))


def _layers() -> Iterator[CatalogueEntry]:
    for spec in LAYERS.values():
        if not spec.only_in_python:
            yield _entry(spec, _example(data=spec.example_data, model=spec.example))


def _optimizers() -> Iterator[CatalogueEntry]:
    for kind, spec in OPTIMIZERS.items():
        yield _entry(spec, _example(optimizer={"kind": kind}))


def _builtin_datasets() -> Iterator[CatalogueEntry]:
    schema = BuiltinData.model_json_schema()
    for info in BUILTIN.values():
        yield CatalogueEntry(
            kind=info.name,
            summary=info.summary,
            formula=f"{info.num_rows} rows of shape {'×'.join(map(str, info.feature_shape))}",
            source=info.source,
            schema_=schema,
            example_job=_example(data={"kind": "builtin", "name": info.name}),
        )


FAMILIES: dict[str, Callable[[], Iterator[CatalogueEntry]]] = {
    "regularizers": _regularizers,
    "models": _models,
    "layers": _layers,
    "optimizers": _optimizers,
    "builtin-datasets": _builtin_datasets,
}
