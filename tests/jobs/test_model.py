import dataclasses

from jobs.model import PRIORITIES, Job, Page

# Section 2 of the contract; `links` are the api's.
CONTRACT = """id name labels priority sweep parent_job_id keep expires_at state state_reason attempt progress
created_at updated_at started_at finished_at heartbeat_at transitions spec resolved_spec plan warnings
result usage"""


def test_a_job_has_the_contracts_fields_and_four_of_our_own() -> None:
    names = {field.name for field in dataclasses.fields(Job)}

    assert names == {*CONTRACT.split(), "tenant", "version", "checkpoint", "dataset_id"}


def test_priorities_rank_from_low_to_high() -> None:
    assert PRIORITIES == ("low", "normal", "high")


def test_a_page_has_more_if_it_can_be_continued() -> None:
    assert Page([1], "cursor").has_more
    assert not Page([1], None).has_more
