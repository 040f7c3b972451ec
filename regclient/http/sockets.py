"""The client's sockets: each read and write ends by the deadline, and only the process that opened a socket uses it."""

import os
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2

from regclient.http.deadline import current_deadline


class Sockets(httpcore2.NetworkBackend):
    """Opens connections with a deadline. Timeouts of single reads never expire if a server sends a byte a second."""

    def __init__(self) -> None:
        self._backend = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Try the addresses of the host in turn, all within the deadline."""
        error: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in _addresses(host, port):
            left_s = _left_s(timeout, httpcore2.ConnectTimeout)
            try:
                stream = self._backend.connect_tcp(address, port, left_s, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                error = failed
                continue
            return Stream(stream, os.getpid())
        raise error


class Stream(httpcore2.NetworkStream):
    """A connection with a deadline. A forked process cannot read or write it, because it belongs to the parent."""

    def __init__(self, stream: httpcore2.NetworkStream, owner_pid: int) -> None:
        self._stream = stream
        self._owner_pid = owner_pid

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if os.getpid() != self._owner_pid:
            raise httpcore2.ReadError("the connection belongs to the parent process")
        return self._stream.read(max_bytes, _left_s(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if os.getpid() != self._owner_pid:
            raise httpcore2.WriteError("the connection belongs to the parent process")
        self._stream.write(buffer, _left_s(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()  # allowed in a forked process: it closes only that process's descriptor, and sends nothing

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left_s = _left_s(timeout, httpcore2.ConnectTimeout)
        return Stream(self._stream.start_tls(ssl_context, server_hostname, left_s), self._owner_pid)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class PooledTransport(httpx2.HTTPTransport):
    """httpx's transport with our sockets, which its own constructor does not accept.

    Args:
        proxy: The proxy for all requests, or None.
        ssl_context: Checks the certificates of server and proxy; None if neither uses `https://`.
    """

    def __init__(self, proxy: httpx2.Proxy | None, ssl_context: ssl.SSLContext | None) -> None:
        through = None
        if proxy is not None:
            is_tls = proxy.url.scheme == "https"
            through = httpcore2.Proxy(str(proxy.url), auth=proxy.auth, ssl_context=ssl_context if is_tls else None)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=ssl_context,
            proxy=through,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=Sockets(),
        )


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError(str(error)) from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _left_s(timeout: float | None, error: type[Exception]) -> float | None:
    left_s = current_deadline().answer_left_s
    if left_s <= 0:
        raise error("the time is up")
    return left_s if timeout is None else min(timeout, left_s)
