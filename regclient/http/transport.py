"""HTTP with retries: headers, timeouts, and how an answer becomes an object or an exception."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import httpx2

from regclient.errors import ClientClosedError, NotFoundError, ServerUnreachableError
from regclient.http.answers import Fields, JSONObject, address_of, problem_of, raise_for_problem, read_answer, refuse
from regclient.http.bodies import encode_body
from regclient.http.connection import Connection
from regclient.http.proxies import proxy_for, ssl_context_for
from regclient.http.retries import (
    PATIENCE_S,
    Attempts,
    Interruption,
    asks_to_come_back,
    checked_max_retries,
    retry_after_s,
)
from regclient.http.sockets import PooledTransport

READ_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 5.0
UPLOAD_SILENCE_S = 60.0
MIN_STORED_BYTES_PER_S = 10_000_000  # the slowest that the server's store may be once it has the whole body
STREAM_SILENCE_S = 45.0  # the server sends a comment every 15 s; three missing ones mean a dead connection


class Transport:
    """Sends requests, and repeats them if the server or the connection failed. Threads and forks may share it.

    Every request can be repeated safely: a GET changes nothing, a POST has an Idempotency-Key or the same effect twice
    as once, and a 404 to a repeated DELETE means that the first one succeeded.
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
            "A client and its jobs and sweeps hold connections and a key, so they cannot be pickled or deep-copied. "
            "Make a `Client()` in each process, and pass ids to it: `client.jobs.get(job_id)`."
        )

    def close(self) -> None:
        """Close the connections of this process; later calls raise ClientClosedError."""
        self._is_closed = True
        if self._owner_pid == os.getpid():
            self._client.close()

    def attempts(self, *, patient: bool = False) -> Attempts:
        """Return a counter of failures with this client's policy of retries.

        Args:
            patient: Whether to tolerate a server that is away for a while, as waits do.
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
        """Send a request, and retry until an answer comes that does not ask for a retry.

        Args:
            method: GET, POST or DELETE.
            path: From `path_of`.
            params: The parameters of the query.
            json: The body; see `encode_body`.
            headers: Additional headers.
            fields: The fields that the answer must have, and their types.
            patient: Whether to tolerate a server that is away for a while, as waits do.

        Returns:
            The answer's JSON object; an empty one for a DELETE.

        Raises:
            InvalidBodyError: The body has no form in JSON.
            ServerUnreachableError: No answer after every retry.
            WaitTimeoutError: No answer within the current deadline.
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
                return read_answer(response, fields or {})
            except Interruption as interruption:
                attempts.failed(interruption)
            except NotFoundError:
                if method == "DELETE" and attempts.num_failures:  # an earlier try deleted it, but its answer was lost
                    return {}
                raise

    def send_file(
        self,
        path: str,
        body: Iterator[bytes],
        *,
        size_bytes: int,
        media_type: str,
        params: Mapping[str, Any] | None = None,
    ) -> JSONObject:
        """POST a body that is read while it is sent. There are no retries; the caller begins anew.

        Args:
            path: From `path_of`.
            body: Pieces with `size_bytes` bytes together; what it raises ends the connection, so that the server gets
                no whole body.
            size_bytes: Sent as Content-Length, so that the server can refuse the file before a byte of it.
            media_type: The body's.
            params: The parameters of the query.

        Raises:
            Interruption: No answer came, or one that asks for a retry; give it to `Attempts.failed`.
            APIError: The server answered with a problem, or something else answered.
        """
        # Only a piece that stands still counts as silence: a large file on a slow line takes as long as it takes.
        read_s = READ_TIMEOUT_S + size_bytes / MIN_STORED_BYTES_PER_S
        timeout = httpx2.Timeout(read_s, connect=CONNECT_TIMEOUT_S, write=UPLOAD_SILENCE_S)
        headers = {"Content-Type": media_type, "Content-Length": str(size_bytes)}
        with self._interruptions():
            client = self._http
            request = client.build_request("POST", path, params=params, content=body, headers=headers, timeout=timeout)
            response = _judged(client.send(request))
        return read_answer(response, {})

    @contextmanager
    def stream(
        self, path: str, *, headers: Mapping[str, str] | None = None, media_type: str | None = None
    ) -> Iterator[httpx2.Response]:
        """Open a response whose body the caller reads in pieces. There are no retries; the caller resumes.

        Args:
            path: From `path_of`.
            headers: Additional headers.
            media_type: The media type that a body must have.

        Raises:
            Interruption: Opening or reading failed; give it to `Attempts.failed`.
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
            # After a fork, parent and child share the old connections, and each could read the other's answers. They
            # are kept and not closed: the pool's lock may be held by a thread that does not exist in the child.
            self._inherited.append(self._client)
            self._open()
        return self._client

    def _open(self) -> None:
        self._owner_pid = os.getpid()
        headers = {"Accept": "application/json", "User-Agent": "regclient"}
        if self._connection.api_key:
            headers["Authorization"] = f"Bearer {self._connection.api_key}"
        # No proxy is used for this machine, even if the environment names one.
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
        except httpx2.RequestError as error:  # no connection, a broken connection, or a body that cannot be decoded
            unreachable = ServerUnreachableError(self.url, error, proxy=self._proxy_address)
            unreachable.__cause__ = error
            raise Interruption(unreachable) from error


def _judged(response: httpx2.Response) -> httpx2.Response:
    if asks_to_come_back(response):
        raise Interruption(problem_of(response), retry_after_s(response))
    return raise_for_problem(response)
