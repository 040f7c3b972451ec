from pathlib import Path

import pytest

from jobs.settings import VARIABLES
from jobs.variables import own_variables, read_secret_file, unknown_variables

OF_SERVICES = {
    "REGCORE_PORT": "tcp://10.96.0.12:8000",
    "REGCORE_SERVICE_HOST": "10.96.0.12",
    "REGCORE_SERVICE_PORT": "8000",
    "REGCORE_SERVICE_PORT_HTTP": "8000",
    "REGCORE_PORT_8000_TCP": "tcp://10.96.0.12:8000",
    "REGCORE_PORT_8000_TCP_PROTO": "tcp",
    "REGCORE_PORT_8000_TCP_PORT": "8000",
    "REGCORE_PORT_8000_TCP_ADDR": "10.96.0.12",
    "REGCORE_API_PORT": "tcp://[fd00::1]:8000",
    "REGCORE_API_SERVICE_HOST": "fd00::1",
    "REGCORE_REDIS_PORT": "udp://10.96.0.13:6379",
    "REGCORE_REDIS_PORT_6379_TCP_ADDR": "10.96.0.13",
    "REGCORE_NAME": "/web/regcore",
    "REGCORE_ENV_PATH": "/usr/bin",
}
"""What Kubernetes gives for Services named regcore, regcore-api and regcore-redis, and docker for a link."""


@pytest.mark.parametrize("name", OF_SERVICES)
def test_what_an_orchestrator_says_of_its_services_is_neither_a_setting_nor_unknown(name: str) -> None:
    environment = {name: OF_SERVICES[name]}

    assert own_variables(environment) == {}
    assert unknown_variables(environment, VARIABLES.values()) == []


@pytest.mark.parametrize("variable", VARIABLES.values())
def test_every_setting_that_is_set_is_taken(variable: str) -> None:
    assert own_variables({variable: "1"}) == {variable: "1"}


def test_spaces_and_line_ends_around_a_value_are_no_part_of_it_and_an_empty_one_is_none() -> None:
    environment = {"REGCORE_PORT": " 8000\r\n", "REGCORE_HOST": " \n", "REGCORE_POOL": "", "PATH": "/bin"}

    assert own_variables(environment) == {"REGCORE_PORT": "8000"}


def test_a_folder_may_have_a_space_at_its_end() -> None:
    assert own_variables({"REGCORE_DATA_DIR": "/a b \n"}) == {"REGCORE_DATA_DIR": "/a b "}


def test_small_letters_will_do_but_capitals_win() -> None:
    environment = {"REGCORE_PORT": "1", "regcore_port": "2", "regcore_host": "::1"}

    assert own_variables(environment) == {"REGCORE_PORT": "1", "REGCORE_HOST": "::1"}


def test_an_unknown_variable_is_named_with_what_was_meant() -> None:
    environment = {"REGCORE_LEASES_S": "3", "REGCORE_API_KYE": "rc_sesame", "REGCORE_XYZZY": "1", "REGCORE_URL": "u"}

    told = unknown_variables(environment, VARIABLES.values())

    assert told == [
        "REGCORE_API_KYE is set, and no setting has this name. Did you mean REGCORE_API_KEY?",
        "REGCORE_LEASES_S is set, and no setting has this name. Did you mean REGCORE_LEASE_S?",
        "REGCORE_XYZZY is set, and no setting has this name. Unset it.",
    ]


@pytest.mark.parametrize("content", [b"sesame", b"sesame\n", b"sesame\r\n", b"\xef\xbb\xbfsesame\n", b"  sesame \n\n"])
def test_a_secret_file_may_end_its_line_as_it_likes(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)

    assert read_secret_file(file) == "sesame"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"", "it is empty"),
        (b"\xef\xbb\xbf \n", "it is empty"),
        ("sesame".encode("utf-16"), "it is not"),
        (b"sesame" * 20_000, "it has more than 100,000 bytes"),
    ],
    ids=["missing", "empty", "a mark alone", "UTF-16", "too large"],
)
def test_a_secret_file_that_cannot_be_used_is_named_and_not_shown(
    content: bytes | None, fault: str, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ValueError, match="UTF-8 text") as raised:
        read_secret_file(file)

    assert fault in str(raised.value)
    assert str(file) in str(raised.value)
    assert "sesame" not in str(raised.value)


def test_a_folder_in_place_of_a_secret_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Is a directory"):
        read_secret_file(tmp_path)
