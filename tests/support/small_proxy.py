"""A reverse proxy that buffers nothing, fails on command and records what it receives.

It takes one request for each connection.

with SmallProxy(backend_url) as proxy:
    proxy.refusals = [502, 503]     # the next two answers
    Client(proxy.url, key)
"""

import re
import socket
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_CHUNK_BYTES = 65_536
_MAX_REQUEST_BYTES = 2 << 20


class SmallProxy:
    """A proxy with its own port.

    Args:
        backend_url: The server to which requests go; without one, no request is answered.

    Attributes:
        received: The first bytes of each connection.
        refusals: Statuses to answer the next requests with, one each, instead of asking the backend.
        is_down: Whether it answers every request with 502, as during a restart of the backend.
        is_silent: Whether it accepts and reads requests, but never answers.
        cut_after_bytes: The number of bytes after which it breaks off the next answer.
        drip_s: The delay between bytes; if it is set, answers are sent byte by byte.
    """

    def __init__(self, backend_url: str | None = None) -> None:
        self.received: list[bytes] = []
        self.refusals: list[int] = []
        self.is_down = False
        self.is_silent = False
        self.cut_after_bytes: int | None = None
        self.drip_s = 0.0
        self._backend = urlsplit(backend_url) if backend_url else None
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args)  # type: ignore[arg-type] # one of our own methods
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._answer(connection)
            except OSError:  # one side has closed its connection, so the proxy ends both
                return

    def _answer(self, connection: socket.socket) -> None:
        request = self._read_request(connection)
        if request is None or self.is_silent or self._backend is None:
            self._over.wait()
        elif self.is_down or self.refusals:
            _refuse(connection, 502 if self.is_down else self.refusals.pop(0))
        elif len(request) > _MAX_REQUEST_BYTES:
            _refuse(connection, 413)
        else:
            self._forward(request, connection)

    def _read_request(self, connection: socket.socket) -> bytes | None:
        """Return one whole request; None for anything else, such as the greeting to a SOCKS proxy."""
        sent = connection.recv(_CHUNK_BYTES)
        if not sent:
            return None
        self.received.append(sent)
        if not re.match(rb"[A-Z]+ ", sent):
            return None
        while b"\r\n\r\n" not in sent:
            sent += _receive(connection)
        head, _, body = sent.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        while length and len(body) < int(length[1]):
            body += _receive(connection)
        callers = [found.decode() for found in re.findall(rb"(?i)\r\nx-forwarded-for: *([^\r]*)", head)]
        passed_on = re.sub(rb"(?i)\r\n(connection|x-forwarded-for): [^\r]*", b"", head)
        own = f"\r\nConnection: close\r\nX-Forwarded-For: {', '.join([*callers, connection.getpeername()[0]])}\r\n\r\n"
        return passed_on + own.encode() + body

    def _forward(self, request: bytes, connection: socket.socket) -> None:
        assert self._backend is not None
        try:
            backend = socket.create_connection((self._backend.hostname, self._backend.port))
        except OSError:
            _refuse(connection, 502)
            return
        with backend:
            backend.sendall(request)
            self._pass_back(backend, connection)

    def _pass_back(self, backend: socket.socket, connection: socket.socket) -> None:
        backend.settimeout(0.1)
        left, self.cut_after_bytes = self.cut_after_bytes, None
        while not self._over.is_set():
            try:
                chunk = backend.recv(_CHUNK_BYTES)
            except TimeoutError:
                continue
            if not chunk:
                return
            chunk = chunk if left is None else chunk[:left]
            left = left if left is None else left - len(chunk)
            self._hand_on(chunk, connection)
            if left == 0:
                return

    def _hand_on(self, chunk: bytes, connection: socket.socket) -> None:
        if not self.drip_s:
            connection.sendall(chunk)
            return
        for place in range(len(chunk)):
            connection.sendall(chunk[place : place + 1])
            if self._over.wait(self.drip_s):
                return


def _receive(connection: socket.socket) -> bytes:
    chunk = connection.recv(_CHUNK_BYTES)
    if not chunk:
        raise ConnectionError("the client has gone in the middle of its request")
    return chunk


def _refuse(connection: socket.socket, status: int) -> None:
    """Answer as proxies do when they have nothing to pass on: with a page."""
    page = f"<html><head><title>{status}</title></head><body>nginx</body></html>".encode()
    head = f"HTTP/1.1 {status} Refused\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n"
    connection.sendall(head.encode() + b"Connection: close\r\n\r\n" + page)
