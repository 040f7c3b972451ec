"""TCP ports of this machine: whether the api can listen on a port, and finding a free one."""

import errno
import socket

from regclient.stack.process import StackError


def require_free_port(host: str, port: int) -> None:
    """Raise StackError unless the api can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # as in uvicorn, so that a socket in TIME_WAIT does not block the port
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StackError(_why_not_there(host, port, error)) from error


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _why_not_there(host: str, port: int, error: OSError) -> str:
    remedies = {
        errno.EADDRINUSE: "Stop what runs there, or choose another --port.",
        errno.EACCES: "Ports below 1024 are the administrator's; choose another --port.",
    }
    remedy = remedies.get(error.errno or 0, "Choose a --host that is an address of this machine.")
    return f"Cannot listen on {host}:{port} ({error.strerror}). {remedy}"
