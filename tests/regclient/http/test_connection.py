from pathlib import Path
from typing import Any

import pytest

from jobs.settings import Settings
from regclient import Client, UsageError
from regclient.http.connection import DEFAULT_URL, data_dir, find_connection, is_loopback
from regclient.stack.up import EmbeddedStack, StackOptions


@pytest.fixture(autouse=True)
def local_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("REGCORE_URL", "REGCORE_API_KEY", "REGCORE_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REGCORE_DATA_DIR", str(tmp_path))
    (tmp_path / "api-key").write_text("rc_local\n")
    return tmp_path


def test_a_local_server_is_found_by_its_files(local_server: Path) -> None:
    (local_server / "url").write_text("http://127.0.0.1:9000\n")

    found = find_connection()

    assert (found.url, found.api_key) == ("http://127.0.0.1:9000", "rc_local")


def test_the_environment_goes_before_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGCORE_URL", "https://far.example/")
    monkeypatch.setenv("REGCORE_API_KEY", "rc_env")

    assert (find_connection().url, find_connection().api_key) == ("https://far.example", "rc_env")


def test_arguments_go_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGCORE_URL", "https://far.example/")

    assert find_connection("http://here", "rc_arg").api_key == "rc_arg"


def test_the_local_key_never_goes_to_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGCORE_URL", "https://far.example/")

    assert find_connection().api_key is None


def test_the_key_is_kept_out_of_the_repr() -> None:
    assert "rc_local" not in repr(find_connection())


def test_nothing_at_all_gives_the_default_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REGCORE_DATA_DIR", str(tmp_path / "none"))

    assert find_connection().url == DEFAULT_URL
    assert find_connection().api_key is None


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.0.0.2", "http://[::1]:8000"])
def test_loopback_is_known(url: str) -> None:
    assert is_loopback(url)
    assert not is_loopback("http://10.0.0.1")


def test_the_home_directory_is_found_as_the_servers_find_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REGCORE_DATA_DIR", "~/regcore")

    assert data_dir() == Settings().data_dir == EmbeddedStack(StackOptions(data_dir=Path("~/regcore")), print).data_dir


SECRET = "rc_" + "s3cret" * 5
SOURCES = ["api_key", "REGCORE_API_KEY", "REGCORE_API_KEY_FILE", "api-key"]
BAD_KEYS = {
    "two lines": f"{SECRET}\n{SECRET}",
    "inner space": f"Bearer {SECRET}",
    "tab": f"{SECRET[:5]}\t{SECRET[5:]}",
    "quotes": f'"{SECRET}"',
    "one quote": f"'{SECRET}",
    "byte-order mark": f"\ufeff{SECRET}",
    "letter beyond ASCII": f"{SECRET}é",
    "escape": f"\x1b[31m{SECRET}",
    "blank": " \n",
}


def give_key(source: str, key: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Have a key come from there; what is left to give as an argument."""
    if source == "api_key":
        return {"api_key": key}
    if source == "REGCORE_API_KEY":
        monkeypatch.setenv(source, key)
        return {}
    file = folder / ("api-key" if source == "api-key" else "key")
    file.write_text(key, encoding="utf-8")
    if source == "REGCORE_API_KEY_FILE":
        monkeypatch.setenv(source, str(file))
    return {}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", " {} ", "\n\t{}\n\n"], ids=ascii)
def test_whitespace_around_a_key_is_none_of_it(
    local_server: Path, monkeypatch: pytest.MonkeyPatch, source: str, around: str
) -> None:
    given = give_key(source, around.format(SECRET), local_server, monkeypatch)

    assert find_connection(**given).api_key == SECRET


@pytest.mark.parametrize(
    ("source", "case"),
    # An empty file of a server that is just starting says nothing.
    [(source, case) for source in SOURCES for case in BAD_KEYS if (source, case) != ("api-key", "blank")],
)
def test_what_can_be_no_key_is_refused_by_its_source_and_never_shown(
    local_server: Path, monkeypatch: pytest.MonkeyPatch, source: str, case: str
) -> None:
    given = give_key(source, BAD_KEYS[case], local_server, monkeypatch)

    with pytest.raises(UsageError) as caught:
        find_connection(**given)

    error: BaseException | None = caught.value
    assert source in str(error)
    while error is not None:  # what caused it, too
        assert SECRET[3:9] not in f"{error!s}{error!r}{vars(error)}"
        error = error.__cause__ or error.__context__


def test_a_key_file_that_is_named_must_be_there_and_readable(
    local_server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, said in {
        local_server / "nothing": "there is no file",
        local_server: "cannot be read: Is a directory",
        Path("/dev/zero"): "more than 10,000 bytes",
    }.items():
        monkeypatch.setenv("REGCORE_API_KEY_FILE", str(path))

        with pytest.raises(UsageError, match=f"REGCORE_API_KEY_FILE.*{said}"):
            find_connection()


def test_neither_vars_nor_repr_of_a_client_has_the_key() -> None:
    with Client("http://127.0.0.1:1", SECRET) as client:
        transport = client._transport

        shown = f"{client!r}{vars(client)}{vars(transport)}{transport._connection}{vars(client.jobs)}"

    assert SECRET not in shown
    assert not hasattr(transport._connection, "__dict__")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        (" https://h.example \n", "https://h.example"),
        ("https://h.example/regcore/", "https://h.example/regcore"),
        ("HTTP://h.example", "http://h.example"),
        ("http://[::1]:9", "http://[::1]:9"),
        ("http://bücher.example", "http://bücher.example"),
    ],
)
def test_what_an_address_may_look_like(url: str, found: str) -> None:
    assert find_connection(url, "rc_x").url == found


BAD_URLS = {
    "localhost:8000": "Write http://localhost:8000",
    "h.example": "Write http://h.example",
    "//h.example": "Write http://h.example",
    "tcp://10.96.0.12:8000": "expected http://",
    "ftp://h": "expected http://",
    "unix:///run/x.sock": "expected http://",
    "http://": "expected http://",
    "http://:8000": "expected http://",
    "http://h:port": "host or port",
    "http://h:70000": "host or port",
    "http://h:0": "expected http://",
    "http://[::1": "host or port",
    "http://h h": "characters",
    "http://h\n.example": "characters",
    "http://h\\x": "characters",
    "http://h/a/../b": "`..`",
    "http://h?token=hush": "Remove",
    "http://h/#hush": "Remove",
    "http://user:hush@h": "REGCORE_API_KEY",
    "user:hush@h": "REGCORE_API_KEY",
    " ": "expected http://",
}


@pytest.mark.parametrize("source", ["url", "REGCORE_URL"])
@pytest.mark.parametrize("url", BAD_URLS, ids=ascii)
def test_what_is_no_address_is_refused_by_its_source_and_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, url: str, source: str
) -> None:
    if source == "REGCORE_URL":
        monkeypatch.setenv(source, url)

    with pytest.raises(UsageError) as caught:
        find_connection(url if source == "url" else None)

    assert str(caught.value).startswith(f"{source}: ")
    assert BAD_URLS[url] in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("value", ["", 5, b"http://h"], ids=ascii)
def test_an_argument_that_is_given_is_never_passed_over(value: Any) -> None:
    with pytest.raises(UsageError, match=r"^url: "):
        find_connection(value)
    with pytest.raises(UsageError, match=r"^api_key: "):
        find_connection(None, value)


def test_an_address_in_the_local_file_is_checked_too_and_named_by_the_file(local_server: Path) -> None:
    (local_server / "url").write_text("nowhere")

    with pytest.raises(UsageError, match=str(local_server / "url")):
        find_connection()


def test_the_key_beside_the_local_address_is_for_it_whichever_of_this_machine_s_it_is(local_server: Path) -> None:
    (local_server / "url").write_text("http://192.0.2.7:8000\n")

    found = find_connection()

    assert (found.api_key, found.is_local) == ("rc_local", True)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "api.localhost",
        "127.0.0.1",
        "127.9.0.3",
        "127.1",
        "0",
        "2130706433",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
    ],
)
def test_this_machine_is_known_however_it_is_written(host: str) -> None:
    assert is_loopback(f"http://{host}:8000")


@pytest.mark.parametrize("host", ["localhost.example", "127.0.0.1.example", "10.0.0.1", "[::2]", "notlocalhost", "1.1"])
def test_another_machine_is_not_taken_for_this_one(host: str) -> None:
    assert not is_loopback(f"http://{host}:8000")


@pytest.mark.parametrize("variable", ["REGCORE_DATA_DIR", "REGCORE_API_KEY_FILE"])
def test_the_home_of_nobody_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "~nobody-of-this-name/x")

    with pytest.raises(UsageError, match=f"^{variable}: "):
        find_connection()
