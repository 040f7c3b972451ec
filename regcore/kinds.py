"""Finding kinds: each layer, model, regularizer, optimizer and task is one file, here or in an installed package.

A package offers its own by entry points of the group `regcore.plugins`, each of which names a module to import:

    [project.entry-points."regcore.plugins"]
    acme = "acme_regcore"

The module holds subclasses of `Layer`, `Model`, `Regularizer`, `Optimizer` or `Task` with a `kind`. At import it needs
no torch, because the api imports it too.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from inspect import get_annotations
from pkgutil import iter_modules
from types import ModuleType
from typing import Annotated, Any, Final, TypeVar, Union

from pydantic import BaseModel, Field

GROUP: Final = "regcore.plugins"

T = TypeVar("T")


class PluginError(ImportError):
    """An installed package offers kinds that cannot be had."""


def import_modules(package: ModuleType | str) -> None:
    """Import every module of a package, so that its kinds are known."""
    package = importlib.import_module(package) if isinstance(package, str) else package
    for module in iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


def kinds_of(base: type[T]) -> dict[str, type[T]]:
    """The subclasses that have a `kind`, by it, in alphabetical order.

    Raises:
        PluginError: Two packages offer the same kind.
    """
    found: dict[str, type[T]] = {}
    for one in _descendants(base):
        kind = _kind(one)
        if kind is None or found.get(kind) is one:
            continue
        if kind in found:
            places = f"{found[kind].__module__} and {one.__module__}"
            raise PluginError(f"two kinds of {base.__name__.lower()} are called {kind!r}: in {places}. Rename one.")
        found[kind] = one
    return dict(sorted(found.items()))


def union_of(base: type[Any]) -> Any:
    """The type of a field that takes any of the kinds, told apart by `kind`."""
    return Annotated[Union[tuple(kinds_of(base).values())], Field(discriminator="kind")]  # noqa: UP007 - built at run time


@cache
def load_plugins() -> dict[str, str]:
    """Import what installed packages offer.

    Returns:
        The distribution of each module that was imported, by the module's name.

    Raises:
        PluginError: A module cannot be imported.
    """
    found: dict[str, str] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        try:
            module = entry.load()
        except Exception as error:
            raise PluginError(
                f"the plugin {entry.value!r} of {_distribution(entry)} cannot be imported: {error!r}. Repair or "
                "uninstall that package."
            ) from error
        found[getattr(module, "__name__", entry.module)] = _distribution(entry)
    return found


def plugin_of(kind: type[Any]) -> str | None:
    """The installed package that offers this kind; None for regcore's own."""
    for module, distribution in load_plugins().items():
        if kind.__module__ == module or kind.__module__.startswith(f"{module}."):
            return distribution
    return None


def plugins_among(parts: Iterable[object]) -> list[str]:
    """The installed packages that these parts of a spec come from, in alphabetical order."""
    return sorted({name for part in parts if (name := plugin_of(type(part))) is not None})


def plugins() -> list[str]:
    """The installed packages that offer kinds, in alphabetical order."""
    return sorted(set(load_plugins().values()))


def _descendants(base: type[T]) -> Iterator[type[T]]:
    for one in base.__subclasses__():
        yield one
        yield from _descendants(one)


def _kind(one: type[Any]) -> str | None:
    """Its kind; None for a base class."""
    if issubclass(one, BaseModel):
        # A subclass that keeps its base's word, in a notebook or a test, is no kind of its own.
        field = one.model_fields.get("kind") if "kind" in get_annotations(one) else None
        return field.default if field is not None and isinstance(field.default, str) else None
    kind = one.__dict__.get("kind")
    return kind if isinstance(kind, str) else None


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.module
