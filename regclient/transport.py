"""HTTP with retries: one place that knows headers, back-off and how a problem becomes an exception."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2

from regclient.connection import Connection
from regclient.errors import ServerUnreachableError, error_from_problem
from regcore.json_values import plain

JSONObject = dict[str, Any]

FIRST_DELAY_S = 0.2
MAX_DELAY_S = 10.0
READ_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 5.0
STREAM_SILENCE_S = 45.0  # the server sends a comment every 15 s; three missing mean that the line is dead


class Transport:
    """Sends requests, safely again where the server or the line failed.

    Every request here may be repeated: reads change nothing, and each POST carries an Idempotency-Key. Only
    DELETE is repeated solely when the connection was never made, since its second answer would be a 404.
    """

    def __init__(
        self, connection: Connection, *, max_retries: int, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        headers = {"Accept": "application/json", "User-Agent": "regclient"}
        if connection.api_key:
            headers["Authorization"] = f"Bearer {connection.api_key}"
        timeout = httpx2.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        self.url = connection.url
        self._http = httpx2.Client(base_url=connection.url, headers=headers, timeout=timeout)
        self._max_retries = max_retries
        self._sleep = sleep

    def close(self) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Send until an answer comes that is worth handing on. NumPy's numbers in the body will do, and tuples.

        Raises:
            ServerUnreachableError: No answer after every retry.
            APIError: The server answered with a problem.
        """
        request = self._http.build_request(method, path, params=params, json=plain(json), headers=headers)
        for attempt in range(self._max_retries + 1):
            last = attempt == self._max_retries
            try:
                response = self._http.send(request)
            except httpx2.TransportError as error:
                if last or not _may_repeat(method, error):
                    raise ServerUnreachableError(self.url, error) from error
                self._sleep(backoff_s(attempt))
                continue
            if last or not _asks_to_come_back(response):
                return raise_for_problem(response)
            self._sleep(_retry_after_s(response) or backoff_s(attempt))
        raise AssertionError("the loop above always returns or raises")

    @contextmanager
    def stream(self, path: str, *, headers: Mapping[str, str] | None = None) -> Iterator[httpx2.Response]:
        """Open a response whose body the caller reads piece by piece. Not retried: the caller resumes.

        Raises:
            httpx2.TransportError: While opening or reading.
            APIError: The server answered with a problem.
        """
        timeout = httpx2.Timeout(STREAM_SILENCE_S, connect=CONNECT_TIMEOUT_S)
        with self._http.stream("GET", path, headers=headers, timeout=timeout) as response:
            if response.is_error:
                response.read()
            yield raise_for_problem(response)

    def pause_before_retry(self, attempt: int, error: Exception) -> None:
        """Back off before a stream is opened again, or give up.

        Raises:
            ServerUnreachableError: `attempt` (from 0) was the last one allowed.
        """
        if attempt >= self._max_retries:
            raise ServerUnreachableError(self.url, error) from error
        self._sleep(backoff_s(attempt))


def backoff_s(attempt: int) -> float:
    """Double from FIRST_DELAY_S up to MAX_DELAY_S, ±25 % so that many clients do not come back as one."""
    jitter = random.uniform(0.75, 1.25)  # noqa: S311 - no secret
    return min(MAX_DELAY_S, FIRST_DELAY_S * 2.0**attempt) * jitter


def raise_for_problem(response: httpx2.Response) -> httpx2.Response:
    """Hand on a good response; turn a 4xx or 5xx into the exception of its status."""
    if not response.is_error:
        return response
    try:
        problem = response.json()
    except json.JSONDecodeError:
        problem = None
    if not isinstance(problem, dict):  # a proxy's page, not ours
        problem = {"title": response.reason_phrase, "detail": response.text[:500]}
    raise error_from_problem(response.status_code, problem)


def _may_repeat(method: str, error: httpx2.TransportError) -> bool:
    if isinstance(error, httpx2.UnsupportedProtocol):  # a malformed URL stays malformed
        return False
    return method != "DELETE" or isinstance(error, httpx2.ConnectError)


def _asks_to_come_back(response: httpx2.Response) -> bool:
    if response.status_code == 409:  # the first try with this Idempotency-Key is still being answered
        return "Retry-After" in response.headers
    return response.status_code in (429, 503)


def _retry_after_s(response: httpx2.Response) -> float | None:
    try:
        return min(MAX_DELAY_S, max(0.0, float(response.headers["Retry-After"])))
    except (KeyError, ValueError):  # absent, or the date form, which our server does not send
        return None
