"""Regularizers: one file each. To add one, add its file: the registry, the job spec's union, the JSON schema, the
catalogue and the docs page all derive from what is found here.

Lives here: a regularizer's fields, formula, source and effect. Does not live here: the loop that calls it.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from regcore.regularizers.base import Effect, EpochChoice, Regularizer, Select, WeightRegularizer

__all__ = ["REGULARIZERS", "AnyRegularizer", "Effect", "EpochChoice", "Regularizer", "Select", "WeightRegularizer"]


def _discover() -> dict[str, type[Regularizer]]:
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    found: dict[str, type[Regularizer]] = {}
    for family in (Regularizer, WeightRegularizer):
        for regularizer in family.__subclasses__():
            if regularizer.__module__ != f"{__name__}.base":
                found[regularizer.model_fields["kind"].default] = regularizer
    return dict(sorted(found.items()))


REGULARIZERS = _discover()

if TYPE_CHECKING:
    AnyRegularizer = Regularizer
else:
    AnyRegularizer = Annotated[Union[tuple(REGULARIZERS.values())], Field(discriminator="kind")]  # noqa: UP007 - built at run time
