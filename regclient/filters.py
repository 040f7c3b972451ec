"""Filters of lists as parameters of a query. None means no filter; an empty filter is an error."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from regclient.errors import UsageError
from regclient.http.bodies import is_encodable
from regclient.ids import checked_id

PAGE_SIZE = 200
MAX_PAGE_SIZE = 1000

Params = dict[str, str | int | list[str]]
State = str | Sequence[str] | None
Moment = str | datetime | None


def list_params(
    *,
    state: State = None,
    labels: Mapping[str, str] | None = None,
    name: str | None = None,
    sweep_id: str | None = None,
    dataset_id: str | None = None,
    sha256: str | None = None,
    created_after: Moment = None,
    created_before: Moment = None,
    sort: str | None = None,
    page_size: int = PAGE_SIZE,
) -> Params:
    """Return the query of a list.

    Raises:
        UsageError: A filter is empty or of the wrong type. Otherwise the list would not be filtered at all.
        InvalidIdError: `sweep_id` is not the id of a sweep, or `dataset_id` not that of a data set.
    """
    filters: dict[str, str | int | list[str] | None] = {
        "state": _state(state),
        "label": _labels(labels),
        "name": _text("name", name),
        "sweep_id": None if sweep_id is None else checked_id("sweep", sweep_id),
        "dataset_id": None if dataset_id is None else checked_id("data set", dataset_id),
        "sha256": _text("sha256", sha256),
        "created_after": _moment("created_after", created_after),
        "created_before": _moment("created_before", created_before),
        "sort": _text("sort", sort),
        "limit": _page_size(page_size),
    }
    return {key: value for key, value in filters.items() if value is not None}


def no_state_is_asked_for(state: object) -> bool:
    """Whether the states are an empty list, which no job or sweep matches."""
    return isinstance(state, list | tuple | set | frozenset) and not state


def joined(field: str, values: str | Sequence[str]) -> str:
    """Return one value or several as a query has them, with commas between.

    Raises:
        UsageError: There is no value, or one is empty.
    """
    return ",".join(required_text(field, value) for value in each_of(values) or [""])


def each_of(values: Any) -> list[Any]:
    """Return several values, or a single one, as a list; a string is a single value."""
    return list(values) if isinstance(values, Iterable) and not isinstance(values, str) else [values]


def _state(state: State) -> str | None:
    return None if state is None else joined("state", state)


def _labels(labels: Any) -> list[str] | None:
    if labels is None:
        return None
    if not isinstance(labels, Mapping) or not labels:
        raise UsageError(
            f"labels: expected a mapping with one label or more, such as {{'team': 'vision'}}; received {labels!r}. "
            "None restricts nothing."
        )
    for key, value in labels.items():
        required_text("labels, as a name", key)
        if ":" in key:  # the query has name:value, so another label would be meant
            raise UsageError(f"labels: expected a name without ':', received {key!r}.")
        if not isinstance(value, str) or not is_encodable(value):
            raise UsageError(f"labels: expected text as the value of {key!r}, received {value!r}.")
    return [f"{key}:{value}" for key, value in labels.items()]


def _moment(field: str, moment: Any) -> str | None:
    if isinstance(moment, datetime):
        if moment.utcoffset() is None:
            raise UsageError(
                f"{field}: expected a time with a time zone; {moment} has none. Use datetime.now(timezone.utc)."
            )
        return moment.astimezone(UTC).isoformat(timespec="microseconds")[: -len("+00:00")] + "Z"
    return _text(field, moment)


def _text(field: str, value: Any) -> str | None:
    return None if value is None else required_text(field, value)


def required_text(field: str, value: Any) -> str:
    """Return a text.

    Raises:
        UsageError: It is empty, or no text that can be sent.
    """
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{field}: expected text that is not empty, received {value!r}. None restricts nothing.")
    if not is_encodable(value):
        raise UsageError(f"{field}: expected text; {value!r} holds half a surrogate pair, which is no character.")
    return value


def _page_size(page_size: Any) -> int:
    is_size = isinstance(page_size, int) and not isinstance(page_size, bool) and 1 <= page_size <= MAX_PAGE_SIZE
    if not is_size:
        raise UsageError(f"page_size: expected 1 to {MAX_PAGE_SIZE}, received {page_size!r}.")
    return int(page_size)
