"""Every kind that a spec may name: regcore's own, and those that installed packages offer.

Each registry is by kind, in alphabetical order. The types of the spec's fields are built from them here, once all kinds
are known.
"""

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel

from regcore.kinds import kinds_of, load_plugins, union_of
from regcore.layers import Layer
from regcore.models import Model
from regcore.optim import Optimizer
from regcore.regularizers import Regularizer
from regcore.spec.data import AnyData
from regcore.spec.training import Training
from regcore.tasks import Task, known_metrics

load_plugins()

LAYERS: Final = kinds_of(Layer)
MODELS: Final = kinds_of(Model)
OPTIMIZERS: Final = kinds_of(Optimizer)
REGULARIZERS: Final = kinds_of(Regularizer)
TASKS: Final = kinds_of(Task)
METRICS: Final = known_metrics()
"""The metrics of all tasks, by name; a split's is `{split}/{name}`, such as `test/accuracy`."""

if TYPE_CHECKING:
    AnyLayer = Layer
    AnyModel = Model
    AnyOptimizer = Optimizer
    AnyRegularizer = Regularizer
else:
    AnyLayer = union_of(Layer)
    AnyModel = union_of(Model)
    AnyOptimizer = union_of(Optimizer)
    AnyRegularizer = union_of(Regularizer)


def _complete() -> None:
    """Resolve the fields that depend on other kinds: a residual block holds layers, and each task has its metrics."""
    names: dict[str, Any] = {
        "AnyData": AnyData,
        "AnyLayer": AnyLayer,
        "AnyModel": AnyModel,
        "AnyOptimizer": AnyOptimizer,
        "AnyRegularizer": AnyRegularizer,
        "Training": Training,
        "ValidationMetric": Literal[tuple(f"validation/{name}" for name in METRICS)],
    }
    for registry in (LAYERS, MODELS, REGULARIZERS):
        for kind in registry.values():
            if issubclass(kind, BaseModel):
                kind.model_rebuild(_types_namespace=names)
                for part in _models_in(kind):
                    part.model_rebuild(_types_namespace=names)


def _models_in(kind: type[BaseModel]) -> set[type[BaseModel]]:
    """The incomplete models that are the type of one of its fields, or one of its types."""
    types = [field.annotation for field in kind.model_fields.values()]
    found = [part for one in types for part in (one, *get_args(one))]
    bare = [get_args(part)[0] if get_origin(part) is Annotated else part for part in found]
    return {one for one in bare if isinstance(one, type) and issubclass(one, BaseModel)}


_complete()
