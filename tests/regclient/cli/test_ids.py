"""Which job or sweep is meant, asked of the real server."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from regclient import Client, NotFoundError
from regclient.cli.ids import find_id

SPEC: dict[str, Any] = {
    "data": {"kind": "builtin", "name": "digits"},
    "model": {"kind": "linear"},
    "training": {"epochs": 1},
}
NAMES = {
    "alone": "alone",
    "twin": "twin of ids",
    "emoji": "emoji 👩‍🔬",
    "slash": "team/vision",
    "last": "last",
    "dash": "-n",
    "both": "a job and a sweep",
}


@pytest.fixture(scope="module")
def client(shared_stack: Any) -> Iterator[Client]:
    with shared_stack.client() as client:
        yield client


@pytest.fixture(scope="module")
def ids(client: Client) -> dict[str, str]:
    """By key: jobs of these names, one more twin, a job named like an id, and sweeps."""
    made = {key: client.jobs.create(SPEC | {"name": name}).id for key, name in NAMES.items()}
    made["other twin"] = client.jobs.create(SPEC | {"name": NAMES["twin"]}).id
    made["impostor"] = client.jobs.create(SPEC | {"name": made["alone"][:-1]}).id
    for key, name in {"sweep": "alone of sweeps", "both sweep": NAMES["both"]}.items():
        made[key] = client.sweeps.create({"name": name, "base": SPEC, "seeds": [0]}).id
    return made


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("{alone}", "alone"),
        (" {alone}\n", "alone"),
        ("alone", "alone"),
        ("emoji 👩‍🔬", "emoji"),
        ("team/vision", "slash"),
        ("-n", "dash"),
        ("{sweep}", "sweep"),
        ("alone of sweeps", "sweep"),
    ],
)
def test_an_id_or_a_name_finds_what_it_is_of(client: Client, ids: dict[str, str], text: str, key: str) -> None:
    assert find_id(client, text.format_map(ids)) == ids[key]


@pytest.mark.parametrize("key", ["alone", "sweep"])
@pytest.mark.parametrize("change", [str, str.lower, str.upper])
def test_the_beginning_of_an_id_finds_it_in_either_case(
    client: Client, ids: dict[str, str], key: str, change: Any
) -> None:
    assert find_id(client, change(ids[key][:-1])) == ids[key]


def test_an_id_wins_over_a_name_that_looks_like_one(client: Client, ids: dict[str, str]) -> None:
    named = client.jobs.get(ids["impostor"]).name

    assert find_id(client, str(named)) == ids["alone"]


@pytest.mark.parametrize(
    ("text", "keys"), [("twin of ids", ["twin", "other twin"]), ("a job and a sweep", ["both", "both sweep"])]
)
def test_a_name_of_several_lists_them_with_ids_and_times(
    client: Client, ids: dict[str, str], text: str, keys: list[str]
) -> None:
    with pytest.raises(typer.BadParameter, match="may be any of these") as caught:
        find_id(client, text)

    lines = caught.value.message.splitlines()[1:-1]
    assert {line.split()[0] for line in lines} == {ids[key] for key in keys}
    assert all(text in line and "UTC" in line for line in lines)


def test_the_name_of_a_sweep_and_of_its_members_is_the_sweep_s(client: Client, ids: dict[str, str]) -> None:
    name = "sweep and members"
    sweep = client.sweeps.create({"name": name, "base": SPEC | {"name": name}, "seeds": list(range(8))})

    assert find_id(client, name) == sweep.id
    with pytest.raises(typer.BadParameter, match="and more"):
        find_id(client, name, ("job",))
    other = client.jobs.create(SPEC | {"name": name})
    with pytest.raises(typer.BadParameter) as caught:
        find_id(client, name)
    assert {line.split()[0] for line in caught.value.message.splitlines()[1:-1]} == {sweep.id, other.id}


def test_a_name_of_a_job_and_a_sweep_is_clear_to_a_command_that_takes_one_of_them(
    client: Client, ids: dict[str, str]
) -> None:
    assert find_id(client, NAMES["both"], ("job",)) == ids["both"]
    assert find_id(client, NAMES["both"], ("sweep",)) == ids["both sweep"]


def test_an_id_that_begins_many_names_five_and_says_that_there_are_more(client: Client, ids: dict[str, str]) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        find_id(client, "job_0")

    lines = caught.value.message.splitlines()
    assert len(lines) == 8
    assert lines[-2:] == ["  and more", "Give one of their ids."]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "nobody",
        "job_zzz",
        "job_7ZZ",
        "job_00000000000",
        "{alone}/report",
        "../sweeps/{sweep}",
        "a\nb",
        "\udcff",
        pytest.param("n" * 100_000, id="long"),
    ],
)
def test_what_nothing_is_called_is_not_found_and_how_to_list_is_said(
    client: Client, ids: dict[str, str], text: str
) -> None:
    with pytest.raises(NotFoundError, match="`regcore jobs` lists jobs, `regcore sweeps` lists sweeps"):
        find_id(client, text.format_map(ids))


@pytest.mark.parametrize(
    ("text", "kinds", "said"),
    [
        ("{sweep}", ("job",), "Expected a job; {sweep} is a sweep. `regcore show {sweep}`"),
        ("alone of sweeps", ("job",), "Expected a job; 'alone of sweeps' is the name of {sweep}, a sweep."),
        ("{alone}", ("sweep",), "Expected a sweep; {alone} is a job."),
        ("alone", ("sweep",), "Expected a sweep; 'alone' is the name of {alone}, a job."),
    ],
)
def test_a_sweep_for_a_job_is_said_and_the_other_way_round(
    client: Client, ids: dict[str, str], text: str, kinds: Any, said: str
) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        find_id(client, text.format_map(ids), kinds)

    assert said.format_map(ids) in caught.value.message


def test_last_is_the_newest_of_its_kind_and_of_both_the_sweep_that_made_the_newest_job(client: Client) -> None:
    sweep = client.sweeps.create({"base": SPEC, "seeds": [0, 1]})
    after_sweep = find_id(client, "last")
    member = find_id(client, "last", ("job",))
    job = client.jobs.create(SPEC)

    assert after_sweep == sweep.id
    assert member in {one.id for one in sweep.jobs()}
    assert find_id(client, "last") == find_id(client, "last", ("job",)) == job.id
    assert find_id(client, "last", ("sweep",)) == sweep.id


def test_last_of_nothing_says_that_there_is_none(server: Any) -> None:
    with Client() as client, pytest.raises(NotFoundError, match="There is no job or sweep yet"):
        find_id(client, "last")


def test_a_whole_id_is_taken_without_a_question_to_the_server(server: Any) -> None:
    with Client() as client:
        assert find_id(client, "job_" + "0" * 26) == "job_" + "0" * 26
    assert server.requests == []


def test_the_beginning_of_an_id_asks_only_for_the_time_that_it_says(server: Any) -> None:
    with Client() as client, pytest.raises(NotFoundError):
        find_id(client, "job_01KC5XW1PHK")

    assert server.queries[0] == (
        "/v1/jobs",
        {"created_after": "2025-12-11T05:14:18Z", "created_before": "2025-12-11T05:34:18Z", "limit": "200"},
    )
