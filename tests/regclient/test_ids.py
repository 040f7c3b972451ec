from typing import Any

import pytest

from jobs.ids import new_id
from regclient import Client, InvalidIdError, NotFoundError
from regclient.ids import checked_id, is_id

JOB = "job_" + "0" * 26
SWEEP = "swp_" + "0" * 26
NO_JOBS: list[Any] = [
    "",
    " ",
    None,
    7,
    b"job_" + b"0" * 26,
    ".",
    "..",
    "last",
    "job_x",
    "job_x?y",
    SWEEP,
    f"../sweeps/{SWEEP}",
    f"{JOB}/report",
    f"{JOB}\n",
    f" {JOB}",
    f"{JOB}#",
    f"{JOB}%2Freport",
    JOB.replace("0", "o"),
    "job_" + "I" * 26,
    "job_" + "٠" * 26,
    JOB + "0",
]


@pytest.mark.parametrize("kind", ["job", "sweep"])
def test_an_id_that_a_server_makes_is_one(kind: str) -> None:
    made = new_id({"job": "job", "sweep": "swp"}[kind])

    assert checked_id(kind, made) == made


@pytest.mark.parametrize("given", NO_JOBS, ids=ascii)
def test_what_is_no_id_is_not_found_before_anything_is_sent(server: Any, given: Any) -> None:
    with Client() as client:
        asked = [
            lambda: client.jobs.get(given),
            lambda: client.jobs.delete(given),
            lambda: client.jobs.cancel(given),
            lambda: client.jobs.pause(given),
            lambda: client.jobs.resume(given),
            lambda: client.jobs.rerun(given),
        ]

        for ask in asked:
            with pytest.raises(InvalidIdError, match="There is no job"):
                ask()

    assert server.requests == []
    assert {NotFoundError, ValueError} < set(InvalidIdError.__mro__)


@pytest.mark.parametrize("given", ["", None, JOB, f"../jobs/{JOB}", f"{SWEEP}/path"], ids=ascii)
def test_a_sweep_is_asked_for_by_the_id_of_a_sweep_alone(server: Any, given: Any) -> None:
    with Client() as client:
        for ask in (client.sweeps.get, client.sweeps.delete, client.sweeps.cancel):
            with pytest.raises(InvalidIdError, match="There is no sweep"):
                ask(given)

    assert server.requests == []


def test_a_long_text_in_place_of_an_id_is_shown_cut() -> None:
    with pytest.raises(InvalidIdError) as caught:
        checked_id("job", "x" * 10_000)

    assert len(str(caught.value)) < 300
    assert not is_id("job", "x" * 10_000)
