import socket

import pytest

from regclient.stack.ports import free_port, require_free_port
from regclient.stack.process import StackError


def test_a_port_is_free_until_somebody_listens_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(StackError, match=rf"127\.0\.0\.1:{port} \(Address already in use\)\. Stop what runs there"):
            require_free_port("127.0.0.1", port)

    require_free_port("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "what_is_said"),
    [
        ("192.0.2.1", r"\(Cannot assign requested address\)\. Choose a --host that is an address of this machine"),
        ("no-such-host.invalid", r"Choose a --host that is an address of this machine"),
    ],
)
def test_an_address_that_is_not_of_this_machine_is_named_with_the_remedy(host: str, what_is_said: str) -> None:
    with pytest.raises(StackError, match=what_is_said):
        require_free_port(host, 8000)
