"""What models of query parameters share. Each operation has one model, and an unknown parameter is an error."""

import re
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from api.http.errors import ParameterError, ProblemError, WrongParameterError, suggest
from jobs.errors import InvalidCursorError
from jobs.store.cursors import Cursor
from regcore.spec.job import MAX_LABELS

_LISTS = frozenset({"state", "label", "names"})
"""Parameters that may be given several times."""

_WHOLE = re.compile(r"-?[0-9]{1,30}")


class NoQuery(BaseModel):
    """No parameter at all."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


def _refuse_query(query: Annotated[NoQuery, Query()]) -> None:
    """Does nothing: parameters were refused before."""


NO_QUERY = Depends(_refuse_query)
"""For operations that take no query parameter."""


def refuse_repeats(request: Request) -> None:
    """Refuse a parameter that comes twice and takes one value: of two, each server takes another one.

    Raises:
        ProblemError: One does.
    """
    counts = Counter(name for name, _ in request.query_params.multi_items())
    wrong = [
        ParameterError(name, "given_twice", f"{name} takes one value; received {count}. Keep one of them.")
        for name, count in counts.items()
        if count > 1 and name not in _LISTS
    ]
    if wrong:
        raise ProblemError("invalid_parameter", wrong[0].message, wrong)


def split_commas(values: list[str]) -> list[str]:
    """Return the words of `a,b` given once or several times."""
    return [word.strip() for value in values for word in value.split(",") if word.strip()]


def refuse_empty(values: list[str]) -> list[str]:
    """Return the values of a list, each of which must have a word."""
    if not all(map(split_commas, ([value] for value in values))):
        raise WrongParameterError("it is empty, which would be no filter. Name something, or leave it out.", "empty")
    return values


def check_states(values: list[str], states: type[StrEnum]) -> list[str]:
    """Return the values of a list whose words must all be states."""
    known = [state.value for state in states]
    for word in split_commas(refuse_empty(values)):
        if word not in known:
            message = f"state must be one of {', '.join(known)}; received {word!r:.80}." + suggest(word, known)
            raise WrongParameterError(message, "unknown_value")
    return values


def read_label(text: str) -> tuple[str, str]:
    """Return key and value of `key:value`."""
    key, colon, value = text.partition(":")
    if not colon or not key:
        raise WrongParameterError(f"label must be key:value; received {text!r:.80}. Add the colon.")
    return key, value


def check_cursor(after: str | None, read: Callable[[str], Cursor]) -> str | None:
    """Return the place behind which a page begins, which ``read`` must be able to read."""
    try:
        if after is not None:
            read(after)
    except InvalidCursorError as error:
        raise WrongParameterError(str(error), "invalid_cursor") from error
    return after


def _check_labels(values: list[str]) -> list[str]:
    for text in values:
        read_label(text)
    return values


def _check_whole(given: Any) -> Any:
    # Python would also read `1_0`, ` 1` and `1.0`, which no other client writes.
    if isinstance(given, str) and not _WHOLE.fullmatch(given):
        raise WrongParameterError(f"expected a whole number in digits; received {given!r:.80}. Correct it.")
    return given


Word = Annotated[str, Field(min_length=1)]
DIGITS = BeforeValidator(_check_whole)
PageLimit = Annotated[int, Field(ge=1, le=1000), DIGITS]
Labels = Annotated[list[str], Field(max_length=MAX_LABELS), AfterValidator(_check_labels)]
