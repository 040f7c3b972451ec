"""A server for one command: the one that is there, else one that is started for its time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from regclient.client import Client
from regclient.errors import NotAllowedError, ServerUnreachableError, UnexpectedAnswerError
from regclient.http.connection import Connection, find_connection
from regclient.stack.ports import free_port
from regclient.stack.server_settings import read_server_settings, stack_options, with_options
from regclient.stack.up import EmbeddedStack

STOP_GRACE_S = 5.0


@dataclass(frozen=True)
class Borrowed:
    """A server to use.

    Attributes:
        client: A client of it.
        is_own: Whether it was started for this command, and ends with it.
        look_after: To be called repeatedly: restarts parts that have died, where the server is our own.
    """

    client: Client
    is_own: bool
    look_after: Callable[[], None]


@contextmanager
def borrowed_server(announce: Callable[[str, str], None], *, max_retries: int) -> Iterator[Borrowed]:
    """Yield the server that the settings or the local files name; if none runs here, one of its own.

    Its own keeps its data in the data directory of this machine, so that a later `regcore up` there has them; it stops
    at the end, whatever happens.

    Args:
        announce: Called with (part, line) for each part of an own server.
        max_retries: As of `Client`.

    Raises:
        ServerUnreachableError: REGCORE_URL names a server that does not answer.
        StackError: The own server cannot be started.
    """
    connection = find_connection()
    if _answers(connection):
        with Client.of(connection, max_retries=max_retries) as client:
            yield Borrowed(client, is_own=False, look_after=lambda: None)
        return
    found = read_server_settings(with_options(port=free_port()))
    options = replace(stack_options(found), stop_grace_s=STOP_GRACE_S)
    with EmbeddedStack(options, announce) as stack:
        own = Connection(stack.url, stack.api_key, of_local_files=True)
        with Client.of(own, max_retries=max_retries) as client:
            yield Borrowed(client, is_own=True, look_after=stack.look_after)


def _answers(connection: Connection) -> bool:
    """Whether the server can be used. One that was named must answer; one that is only assumed need not be there."""
    if not connection.of_local_files:
        return True
    try:
        with Client.of(connection, max_retries=0) as client:
            client.workers()
    except (ServerUnreachableError, UnexpectedAnswerError):
        return False
    except NotAllowedError:
        # Without a key of its own, the port belongs to somebody else's server.
        if connection.api_key is None:
            return False
        raise
    return True
