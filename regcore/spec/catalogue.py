"""The catalogue: each kind with its formula, source, JSON schema and a job that trains in seconds."""

from collections.abc import Callable, Mapping
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
    example_job: dict[str, Any] | None
    """A whole job spec with it that trains offline in seconds; null if no built-in set has the rows that it needs."""


def catalogue(family: str) -> list[CatalogueEntry]:
    """The entries of one family: regularizers, models, layers, optimizers or builtin-datasets."""
    return FAMILIES[family]()


def _example(**parts: Any) -> dict[str, Any]:
    job = {
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "mlp", "hidden": [32]},
        "training": {"epochs": 3},
    }
    return job | parts


def _entry(spec: Any, example_job: Mapping[str, Any] | None) -> CatalogueEntry:
    return CatalogueEntry(
        kind=spec.model_fields["kind"].default,
        summary=spec.summary,
        formula=spec.formula,
        source=spec.source,
        schema_=_schema_of(spec),
        example_job=None if example_job is None else dict(example_job),
    )


def _schema_of(spec: type[BaseModel]) -> dict[str, Any]:
    """The schema with the fields at its top, also of a layer that may hold others of its kind."""
    schema = spec.model_json_schema()
    own = schema.pop("$ref", "").rpartition("/")[2]
    return {**schema["$defs"][own], **schema} if own else schema


def _regularizers() -> list[CatalogueEntry]:
    return [
        _entry(spec, _example(model=spec.example_model, regularizers=[spec.example])) for spec in REGULARIZERS.values()
    ]


def _models() -> list[CatalogueEntry]:
    return [_entry(spec, _example(model=spec.example)) for spec in MODELS.values()]


def _layers() -> list[CatalogueEntry]:
    return [_entry(spec, None if spec.example is None else _example(model=spec.example)) for spec in LAYERS.values()]


def _optimizers() -> list[CatalogueEntry]:
    return [
        _entry(spec, _example(optimizer={"kind": spec.model_fields["kind"].default})) for spec in OPTIMIZERS.values()
    ]


def _builtin_datasets() -> list[CatalogueEntry]:
    return [
        CatalogueEntry(
            kind=info.name,
            summary=info.summary,
            formula=f"{info.num_rows} rows of shape {'×'.join(map(str, info.feature_shape))}",
            source=info.source,
            schema_=BuiltinData.model_json_schema(),
            example_job=_example(data={"kind": "builtin", "name": info.name}),
        )
        for info in BUILTIN.values()
    ]


FAMILIES: dict[str, Callable[[], list[CatalogueEntry]]] = {
    "regularizers": _regularizers,
    "models": _models,
    "layers": _layers,
    "optimizers": _optimizers,
    "builtin-datasets": _builtin_datasets,
}
