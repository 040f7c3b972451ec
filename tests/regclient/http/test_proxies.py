"""Proxies of the environment, with one on a real socket that keeps what it is sent."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_proxy import SmallProxy

from regclient import Client, KeyInClearWarning, ServerUnreachableError, UsageError
from regclient.http.proxies import proxy_for, ssl_context_for

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "request_method", "ssl_cert_file", "ssl_cert_dir")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower() in VARIABLES]:
        monkeypatch.delenv(name)


@pytest.fixture
def proxy() -> Iterator[SmallProxy]:
    with SmallProxy() as proxy:
        yield proxy


@pytest.fixture
def everywhere(proxy: SmallProxy, monkeypatch: pytest.MonkeyPatch) -> SmallProxy:
    """A proxy that the environment names for everything, as SOCKS too, which this Python has no package for."""
    for name in ("HTTP_PROXY", "https_proxy", "http_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    for name in ("ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"socks5://127.0.0.1:{proxy.port}")
    return proxy


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "127.1"])
def test_this_machine_is_reached_without_any_proxy(server: Any, everywhere: SmallProxy, host: str) -> None:
    with Client(server.url.replace("127.0.0.1", host)) as client:
        assert client.workers()

    assert everywhere.received == []


@pytest.mark.parametrize("value", ["socks5://127.0.0.1:9", "nonsense://x", "http://[", "http://"])
def test_for_this_machine_it_does_not_matter_what_a_variable_says(
    server: Any, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    monkeypatch.setenv("HTTP_PROXY", value)

    with Client() as client:
        assert client.workers()


def test_the_command_line_reaches_this_machine_without_any_proxy(server: Any, everywhere: SmallProxy) -> None:
    done = subprocess.run([sys.executable, "-m", "regclient", "jobs"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert everywhere.received == []


def test_another_machine_is_reached_as_the_environment_says(
    server: Any, proxy: SmallProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)

    with pytest.warns(KeyInClearWarning, match="in clear to http://far"):
        client = Client("http://far.example", "rc_x", max_retries=0)
    with client, client.deadline(0), pytest.raises(TimeoutError):
        client.workers()

    assert proxy.received[0].startswith(b"GET http://far.example/v1/workers HTTP/1.1\r\n")


def test_a_key_goes_to_a_proxy_only_within_tls(proxy: SmallProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)

    with (
        Client("https://far.example", "rc_secret", max_retries=0) as client,
        client.deadline(0),
        pytest.raises(TimeoutError),
    ):
        client.workers()

    assert proxy.received[0].startswith(b"CONNECT far.example:443 HTTP/1.1\r\n")
    assert b"rc_secret" not in b"".join(proxy.received)


@pytest.mark.parametrize("url", ["https://far.example", "http://127.0.0.1:1"])
def test_where_nobody_can_read_a_key_nobody_is_warned(url: str) -> None:
    Client(url, "rc_x").close()  # a warning is an error in these tests


def test_without_a_key_nobody_is_warned() -> None:
    Client("http://far.example").close()


@pytest.mark.parametrize(
    ("no_proxy", "url", "is_direct"),
    [
        ("far.example", "http://far.example", True),
        (".example", "http://far.example", True),
        ("other.example, far.example", "http://far.example", True),
        ("far.example:8000", "http://far.example:8000", True),
        ("10.0.0.0/8", "http://10.1.2.3", True),
        ("fd00::/8", "http://[fd00::1]:8000", True),
        ("*", "http://far.example", True),
        ("far.example", "http://notfar.example", False),
        ("10.0.0.0/8", "http://11.1.2.3", False),
        ("10.0.0.0/99", "http://10.1.2.3", False),
        ("", "http://far.example", False),
    ],
)
def test_no_proxy_is_honoured(monkeypatch: pytest.MonkeyPatch, no_proxy: str, url: str, is_direct: bool) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)

    assert (proxy_for(url) is None) == is_direct


def test_the_scheme_s_own_proxy_goes_before_the_one_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://all.example")
    monkeypatch.setenv("https_proxy", "secure.example:8080")

    found = {scheme: proxy_for(f"{scheme}://far.example") for scheme in ("http", "https")}

    assert {scheme: str(proxy.url) for scheme, proxy in found.items() if proxy} == {
        "http": "http://all.example",
        "https": "http://secure.example:8080",
    }


@pytest.mark.parametrize("value", ["ftp://u:hush@p", "http://u:hush@[", "socks4://u:hush@p", "http://", "://"])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "all_proxy"])
def test_a_variable_that_names_no_proxy_is_named_and_its_password_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(UsageError, match=f"^{variable}: ") as caught:
        Client("http://far.example")

    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_socks_without_its_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://user:hush@proxy.example:1080")
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(UsageError, match=r"^ALL_PROXY names a SOCKS proxy.*pip install socksio"):
        Client("https://far.example", "rc_x")


@pytest.mark.parametrize(
    ("variable", "name"), [("SSL_CERT_FILE", "nothing.pem"), ("SSL_CERT_FILE", "no.pem"), ("SSL_CERT_DIR", "nowhere")]
)
def test_certificates_that_cannot_be_read_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, name: str
) -> None:
    (tmp_path / "no.pem").write_text("none")
    monkeypatch.setenv(variable, str(tmp_path / name))

    with pytest.raises(UsageError, match=f"^{variable}: .*{name}"):
        Client("https://far.example", "rc_x")
    assert ssl_context_for("http://far.example", None) is None


def test_where_a_proxy_does_not_answer_the_error_names_it_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hush@127.0.0.1:9")

    with (
        Client("https://far.example", "rc_x", max_retries=0) as client,
        pytest.raises(ServerUnreachableError) as caught,
    ):
        client.workers()

    assert "the proxy http://127.0.0.1:9" in str(caught.value)
    assert "hush" not in str(caught.value)
