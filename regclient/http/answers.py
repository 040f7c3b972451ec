"""Checks of answers, made once, where an answer comes in. It may be the server's, or that of a proxy before it."""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import httpx2

from regclient.errors import APIError, UnexpectedAnswerError, error_from_problem

JSONObject = dict[str, Any]
Fields = Mapping[str, type]

_MAX_READ_WORDS = 10_000
_MAX_WORDS = 200
_TAGS = re.compile(r"(?s)<(script|style)\b.*?</\1\s*>|<[^>]*>")


def read_answer(response: httpx2.Response, fields: Fields) -> JSONObject:
    """Return the JSON object of a successful answer.

    Args:
        response: A 2xx response, read to its end.
        fields: The fields that the object must have, and their types; a list must hold objects.

    Raises:
        UnexpectedAnswerError: The answer is anything else.
    """
    found = _parsed(response)
    if not isinstance(found, dict):
        refuse(response, _description(response))
    for name, kind in fields.items():
        value = found.get(name)
        if not isinstance(value, kind):
            refuse(response, f"JSON in which {name!r} is {_type_name(value)}, not {kind.__name__}")
        if isinstance(value, list) and not all(isinstance(entry, dict) for entry in value):
            refuse(response, f"JSON in which {name!r} holds something other than objects")
    return found


def read_event(response: httpx2.Response, text: str) -> JSONObject:
    """Return one record of an event stream: `{seq, at, kind, body}`; records that are not stored have no `seq`.

    Raises:
        UnexpectedAnswerError: The text is anything else.
    """
    try:
        event = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        event = None
    if not is_record(event):
        refuse(response, f"an event that is not a record: {_words(text)!r}")
    return dict(event)


def is_record(event: Any) -> bool:
    """Whether this is a record of a job: `{seq, at, kind, body}`, perhaps without `seq`."""
    return (
        isinstance(event, dict)
        and isinstance(event.get("kind"), str)
        and isinstance(event.get("at"), str)
        and isinstance(event.get("body"), dict)
        and isinstance(event.get("seq", 0), int)
    )


def raise_for_problem(response: httpx2.Response) -> httpx2.Response:
    """Return the response if it is a 2xx.

    Raises:
        APIError: It is a 4xx or 5xx; the class depends on the status.
        UnexpectedAnswerError: It is a redirect. Redirects are never followed, because the key would be sent along.
    """
    if response.is_error:
        raise problem_of(response)
    if not response.is_success:
        refuse(response, _description(response))
    return response


def problem_of(response: httpx2.Response) -> APIError:
    """Return the exception for a 4xx or 5xx response that was read to its end."""
    problem = _parsed(response)
    if not isinstance(problem, dict):  # a proxy's page, not ours
        problem = {"title": response.reason_phrase, "detail": _words(response.text)}
    return error_from_problem(response.status_code, problem)


def refuse(response: httpx2.Response, came: str) -> NoReturn:
    """Raise UnexpectedAnswerError, with what came instead of the expected answer."""
    raise UnexpectedAnswerError(response.status_code, address_of(response.request.url), came)


def address_of(url: httpx2.URL) -> str:
    """Return the URL for messages: without the query, which may hold a token, and without user and password."""
    port = "" if url.port is None else f":{url.port}"
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{url.scheme}://{host}{port}{url.path}"


def _parsed(response: httpx2.Response) -> Any:
    try:
        return json.loads(response.content.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _description(response: httpx2.Response) -> str:
    """Describe an unexpected answer: a redirect's target, or the media type and the beginning of the body."""
    if response.has_redirect_location:
        try:
            aim = address_of(response.url.join(response.headers["Location"]))
        except httpx2.InvalidURL:
            aim = "an invalid address"
        return f"a redirect ({response.status_code}) to {aim}, which is not followed"
    content_type = _words(response.headers.get("Content-Type", "")) or "without a type"
    return f"status {response.status_code}, {content_type}: {_words(response.text)!r}"


def _words(text: str) -> str:
    """Return the beginning of a text as one line, without tags and without unprintable characters."""
    words = _TAGS.sub(" ", text[:_MAX_READ_WORDS]).split()
    line = "".join(character for character in " ".join(words) if character.isprintable())
    return line if len(line) <= _MAX_WORDS else line[:_MAX_WORDS] + "…"


def _type_name(value: Any) -> str:
    return "missing" if value is None else f"a {type(value).__name__}"
