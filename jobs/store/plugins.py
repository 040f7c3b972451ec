"""The plugins that a job needs, as text that both databases can compare: ``|acme||zeta|``; None for none."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, func, or_

from jobs.tables import jobs


def plugins_as_text(names: Collection[str]) -> str | None:
    """The column's value. Names of packages hold no bar."""
    return "".join(f"|{name}|" for name in sorted(set(names))) or None


def plugins_from_text(text: str | None) -> frozenset[str]:
    """The names in a value of `plugins_as_text`."""
    return frozenset() if text is None else frozenset(text.strip("|").split("||"))


def needs_only(names: Collection[str]) -> ColumnElement[bool]:
    """Jobs that need none but these: nothing is left of their text once these are taken out of it."""
    rest: ColumnElement[str | None] = jobs.c.plugins
    for name in sorted(names):
        rest = func.replace(rest, f"|{name}|", "")
    return or_(jobs.c.plugins.is_(None), rest == "")
