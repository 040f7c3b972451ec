import pytest

from jobs.hosts import check_host


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "0.0.0.0", "::", "::1", "fe80::1%eth0", "localhost", "api_1", "a.b.", "x"]
)
def test_an_address_or_a_name_is_taken(host: str) -> None:
    assert check_host(host) == host


@pytest.mark.parametrize(
    "host", ["http://x", "localhost:80", "[::1]", "1:2:3", "a b", "a..b", "-a", "a" * 64, "é" * 70, "x" * 250 + ".abc"]
)
def test_what_nothing_can_listen_on_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="without a port"):
        check_host(host)
