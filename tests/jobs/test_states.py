import re

import pytest

from jobs.states import (
    EXPLANATIONS,
    MEANINGS,
    TERMINAL,
    TRANSITIONS,
    JobState,
    Reason,
    is_legal,
    make_reason,
    markdown_table,
    sweep_state,
)

# Section 2 of the contract, as it is written there; "cancelled" and the other terminal states never change.
CONTRACT = """
queued → starting | paused | cancelled | failed
starting → queued | failed | pausing | cancelling | running
running → queued | failed | pausing | cancelling | succeeded
pausing → paused | queued | succeeded | failed | cancelling
paused → queued | cancelled
cancelling → cancelled | succeeded | failed
"""


def test_the_transitions_are_the_contracts() -> None:
    expected = {state: set[str]() for state in JobState}
    for line in CONTRACT.strip().splitlines():
        before, after = line.split(" → ")
        expected[JobState(before)] = set(after.split(" | "))

    assert {before: set(after) for before, after in TRANSITIONS.items()} == expected


def test_the_terminal_states_are_those_that_lead_nowhere() -> None:
    assert {state for state in JobState if not TRANSITIONS[state]} == TERMINAL


@pytest.mark.parametrize("state", JobState)
def test_every_state_has_a_meaning_and_a_way_to_an_end(state: JobState) -> None:
    reached, frontier = {state}, {state}
    while frontier:
        frontier = {after for before in frontier for after in TRANSITIONS[before]} - reached
        reached |= frontier

    assert MEANINGS[state].endswith(".")
    assert reached & TERMINAL


def test_is_legal_reads_the_table() -> None:
    assert is_legal(JobState.QUEUED, JobState.STARTING)
    assert not is_legal(JobState.SUCCEEDED, JobState.QUEUED)


@pytest.mark.parametrize("code", Reason)
def test_every_reason_has_a_message_and_a_remedy(code: Reason) -> None:
    reason = make_reason(code)

    assert set(reason) == {"code", "message", "remedy", "retryable", "details"}
    assert reason["code"] == code.value
    assert reason["message"] == EXPLANATIONS[code].message
    assert reason["remedy"]
    assert reason["details"] == {}


def test_a_reason_may_bring_its_own_message_and_details() -> None:
    reason = make_reason(Reason.DIVERGED, "NaN at step 3.", details={"step": 3})

    assert (reason["message"], reason["details"]) == ("NaN at step 3.", {"step": 3})


def test_the_table_of_the_docs_has_every_state() -> None:
    rows = markdown_table().splitlines()[2:]

    assert [re.match(r"\| `(\w+)` \|", row)[1] for row in rows] == [state.value for state in JobState]  # type: ignore[index]
    assert "| `paused` | It holds no worker, and waits to be resumed. | `queued` `cancelled` |" in rows


@pytest.mark.parametrize(
    ("counts", "num_halved", "cancel_requested", "expected"),
    [
        ({"queued": 3}, 0, False, "queued"),
        ({"queued": 2, "starting": 1}, 0, False, "running"),
        ({"queued": 2, "failed": 1}, 0, False, "running"),
        ({"paused": 1, "succeeded": 2}, 0, False, "running"),
        ({"cancelling": 1, "cancelled": 2}, 0, True, "running"),
        ({"succeeded": 1, "failed": 2}, 0, False, "succeeded"),
        ({"succeeded": 1, "cancelled": 2}, 2, False, "succeeded"),
        ({"succeeded": 1, "cancelled": 2}, 2, True, "succeeded"),
        ({"succeeded": 1, "cancelled": 2}, 1, True, "cancelled"),
        ({"succeeded": 1, "cancelled": 2}, 0, False, "succeeded"),
        ({"failed": 3}, 0, False, "failed"),
        ({"failed": 1, "cancelled": 2}, 2, False, "failed"),
        ({"failed": 1, "cancelled": 2}, 0, True, "cancelled"),
        ({"cancelled": 3}, 0, True, "cancelled"),
        ({}, 0, False, "cancelled"),
    ],
)
def test_a_sweeps_state_follows_from_its_members(counts, num_halved, cancel_requested, expected):
    state = sweep_state(
        {JobState(name): number for name, number in counts.items()},
        num_halved=num_halved,
        cancel_requested=cancel_requested,
    )

    assert state == expected
