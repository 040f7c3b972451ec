"""HTTP with retries: one place that knows headers, deadlines, and how an answer becomes an object or an exception."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import httpx2

from regclient.answers import Fields, JSONObject, address_of, problem_of, raise_for_problem, read_object, refuse
from regclient.bodies import encode_body
from regclient.connection import Connection
from regclient.errors import ClientClosedError, NotFoundError, ServerUnreachableError
from regclient.proxies import proxy_for, ssl_context_for
from regclient.retries import (
    PATIENCE_S,
    Attempts,
    Interruption,
    asks_to_come_back,
    checked_max_retries,
    retry_after_s,
)
from regclient.sockets import PooledTransport

READ_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 5.0
STREAM_SILENCE_S = 45.0  # the server sends a comment every 15 s; three missing mean that the line is dead


class Transport:
    """Sends requests, safely again where the server or the line failed. Threads may share it, and forks inherit it.

    Every request here may be repeated: reads change nothing, each POST carries an Idempotency-Key or has the same
    effect twice, and what a repeated DELETE no longer finds is deleted.
    """

    def __init__(
        self, connection: Connection, *, max_retries: int, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.url = connection.url
        self._connection = connection
        self._max_retries = checked_max_retries(max_retries)
        self._sleep = sleep
        self._is_closed = False
        self._inherited: list[httpx2.Client] = []
        self._open()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A client, and what it gives out, holds connections and a key, so it cannot be pickled or copied deeply. "
            "Make a `Client()` in each process, and hand over ids: `client.jobs.get(job_id)`."
        )

    def close(self) -> None:
        """Close the connections of this process; every later call is a ClientClosedError."""
        self._is_closed = True
        if self._owner_pid == os.getpid():
            self._client.close()

    def attempts(self, *, patient: bool = False) -> Attempts:
        """Count failures by this client's policy.

        Args:
            patient: Outlive a server that is away for a while, as waits do.
        """
        patience_s = PATIENCE_S if patient else 0.0
        return Attempts(self.url, self._max_retries, patience_s=patience_s, sleep=self._sleep)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        fields: Fields | None = None,
        patient: bool = False,
    ) -> JSONObject:
        """Send until an answer comes that is worth handing on.

        Args:
            method: GET, POST or DELETE.
            path: From `path_of`.
            params: Of the query.
            json: The body. NumPy's numbers in it will do, and tuples.
            headers: More of them.
            fields: What the answer must have, and of which type.
            patient: Outlive a server that is away for a while, as waits do.

        Returns:
            The answer's JSON object; an empty one for a DELETE.

        Raises:
            InvalidBodyError: JSON cannot say the body.
            ServerUnreachableError: No answer after every retry.
            WaitTimeoutError: No answer within the deadline that holds here.
            APIError: The server answered with a problem, or something else answered.
        """
        content, sent_headers = None, dict(headers or {})
        if json is not None:
            content, sent_headers["Content-Type"] = encode_body(json), "application/json"
        attempts = self.attempts(patient=patient)
        while True:
            try:
                with self._interruptions():
                    client = self._http
                    request = client.build_request(method, path, params=params, content=content, headers=sent_headers)
                    response = _judged(client.send(request))
                if method == "DELETE" and response.status_code == httpx2.codes.NO_CONTENT:
                    return {}
                return read_object(response, fields or {})
            except Interruption as interruption:
                attempts.failed(interruption)
            except NotFoundError:
                if method == "DELETE" and attempts.num_failures:  # the try before, whose answer was lost, did it
                    return {}
                raise

    @contextmanager
    def stream(
        self, path: str, *, headers: Mapping[str, str] | None = None, media_type: str | None = None
    ) -> Iterator[httpx2.Response]:
        """Open a response whose body the caller reads piece by piece. Not retried: the caller resumes.

        Args:
            path: From `path_of`.
            headers: More of them.
            media_type: What must come, if anything does.

        Raises:
            Interruption: While opening or reading; for `Attempts` to count.
            APIError: The server answered with a problem, or something else answered.
        """
        timeout = httpx2.Timeout(STREAM_SILENCE_S, connect=CONNECT_TIMEOUT_S)
        with (
            self._interruptions(),
            self._http.stream("GET", path, headers=headers, timeout=timeout) as response,
        ):
            content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            is_wanted = response.status_code == httpx2.codes.NO_CONTENT or media_type in (None, content_type)
            if not (response.is_success and is_wanted):
                response.read()
            _judged(response)
            if not is_wanted:
                refuse(response, f"{content_type or 'no type'} in place of {media_type}")
            yield response

    @property
    def _http(self) -> httpx2.Client:
        if self._is_closed:
            raise ClientClosedError
        if self._owner_pid != os.getpid():
            # After a fork the old connections are the parent's too: used here, one process would read the other's
            # answers. They are kept rather than closed, for the pool's lock may be that of a thread that is not here.
            self._inherited.append(self._client)
            self._open()
        return self._client

    def _open(self) -> None:
        self._owner_pid = os.getpid()
        headers = {"Accept": "application/json", "User-Agent": "regclient"}
        if self._connection.api_key:
            headers["Authorization"] = f"Bearer {self._connection.api_key}"
        # This machine is never reached through a proxy, whatever the environment says.
        proxy = None if self._connection.is_local else proxy_for(self.url)
        self._proxy_address = address_of(proxy.url) if proxy else None
        self._client = httpx2.Client(
            base_url=self.url,
            headers=headers,
            timeout=httpx2.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            transport=PooledTransport(proxy, ssl_context_for(self.url, proxy)),
            trust_env=False,
        )

    @contextmanager
    def _interruptions(self) -> Iterator[None]:
        try:
            yield
        except httpx2.RequestError as error:  # no connection, a broken one, or a body that cannot be decoded
            unreachable = ServerUnreachableError(self.url, error, proxy=self._proxy_address)
            unreachable.__cause__ = error
            raise Interruption(unreachable) from error


def _judged(response: httpx2.Response) -> httpx2.Response:
    if asks_to_come_back(response):
        raise Interruption(problem_of(response), retry_after_s(response))
    return raise_for_problem(response)
