"""The tests' reverse proxy for machines without nginx: it does not buffer, and answers 502 if the api is away."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
_CHUNK_BYTES = 1 << 16
_BACKEND_TIMEOUT_S = 60
MAX_BODY_BYTES = 2 << 20


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api_port: int

    def log_message(self, *_: object) -> None:
        """Do not log."""

    def _forward(self) -> None:
        size_bytes = int(self.headers.get("Content-Length", 0))
        if size_bytes > MAX_BODY_BYTES:
            self._page(413)
            return
        body = self.rfile.read(size_bytes)
        connection = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=_BACKEND_TIMEOUT_S)
        with closing(connection) as backend:
            try:
                answer = self._ask(backend, body)
            except (OSError, http.client.HTTPException):
                self._page(502)
                return
            with answer:
                self._pass_on(answer)

    def _ask(self, backend: http.client.HTTPConnection, body: bytes) -> http.client.HTTPResponse:
        backend.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                backend.putheader(name, value)
        backend.putheader("X-Forwarded-For", self._client())
        backend.endheaders(body)
        return backend.getresponse()

    def _client(self) -> str:
        return ", ".join([*self.headers.get_all("X-Forwarded-For", []), self.client_address[0]])

    def _pass_on(self, answer: http.client.HTTPResponse) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self._end_headers()
        try:
            while content := answer.read1(_CHUNK_BYTES):
                self.wfile.write(content)
                self.wfile.flush()
        except (OSError, http.client.HTTPException):
            return  # half of the answer has been sent: only the connection can still tell of the error

    def _end_headers(self) -> None:
        """End the headers, and close the connection after the answer: that ends an answer without a length."""
        self.close_connection = True
        self.send_header("Connection", "close")
        self.end_headers()

    def _page(self, status: int) -> None:
        content = f"<html><body><h1>{status} from the proxy</h1></body></html>".encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self._end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = do_OPTIONS = _forward


@contextmanager
def run_plain_proxy(api_port: int) -> Iterator[str]:
    """Run the proxy before the api at a port; yields the proxy's URL."""
    handler = type("Handler", (_Handler,), {"api_port": api_port})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
