from pathlib import Path
from typing import Any

import pytest

from regclient import Client, ConflictError, InvalidRequestError, NotFoundError

SPEC: dict[str, Any] = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}}


@pytest.fixture
def client(server: Any) -> Any:
    with Client() as client:
        yield client


def test_a_lost_answer_is_retried_into_the_same_job(server: Any, client: Client) -> None:
    server.lose_answers = 1

    job = client.jobs.create(SPEC)

    posts = [headers["idempotency-key"] for method, _, headers in server.requests if method == "POST"]
    assert len(posts) == 2
    assert len(set(posts)) == 1
    assert list(server.jobs) == [job.id]


def test_two_creates_are_two_jobs(client: Client) -> None:
    assert client.jobs.create(SPEC).id != client.jobs.create(SPEC).id


def test_a_job_spec_is_sent_with_only_what_was_set(server: Any, client: Client) -> None:
    from regcore.spec import parse_spec

    job = client.jobs.create(parse_spec(SPEC))

    assert job.spec == SPEC


def test_a_wrong_field_is_named_with_its_remedy(client: Client) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        client.jobs.create({**SPEC, "model": {"kind": "mpl"}})

    assert caught.value.errors[0]["pointer"] == "/model/kind"
    assert "/model/kind: Did you mean 'mlp'?" in str(caught.value)
    assert caught.value.code == "invalid_spec"


def test_validate_stores_nothing(server: Any, client: Client) -> None:
    assert client.jobs.validate(SPEC)["valid"] is True
    assert server.jobs == {}


def test_list_walks_every_page(client: Client) -> None:
    made = [client.jobs.create(SPEC).id for _ in range(5)]

    listed = [job.id for job in client.jobs.list(page_size=2)]

    assert listed == made


def test_list_filters_by_several_states(client: Client) -> None:
    first, second = client.jobs.create(SPEC), client.jobs.create(SPEC)
    first.cancel()

    assert [job.id for job in client.jobs.list(state=["cancelled", "failed"])] == [first.id]
    assert [job.id for job in client.jobs.list(state="queued")] == [second.id]


def test_a_field_that_lists_leave_out_is_fetched_when_read(client: Client) -> None:
    client.jobs.create(SPEC)

    [job] = client.jobs.list()

    assert "spec" not in job.body
    assert job.spec == SPEC


def test_unknown_ids_are_not_found(client: Client) -> None:
    with pytest.raises(NotFoundError, match="There is no job job_x"):
        client.jobs.get("job_x")


def test_delete_of_a_running_job_is_a_conflict(server: Any, client: Client) -> None:
    job = client.jobs.create(SPEC)
    server.jobs[job.id]["state"] = "running"

    with pytest.raises(ConflictError, match="Cancel it first"):
        client.jobs.delete(job.id)


def test_delete_removes_it(server: Any, client: Client) -> None:
    client.jobs.create(SPEC).cancel().delete()

    assert server.jobs == {}


def test_a_rerun_is_another_job_of_the_same_parent(server: Any, client: Client) -> None:
    patch = [{"op": "replace", "path": "/name", "value": "again"}]
    job = client.jobs.create(SPEC)

    first, second = job.rerun(patch, "weights"), client.jobs.rerun(job.id, patch)

    assert len({job.id, first.id, second.id}) == 3
    assert first.parent_job_id == second.parent_job_id == job.id
    assert server.bodies == [{"patch": patch, "start_from": "weights"}, {"patch": patch, "start_from": "scratch"}]


def test_a_rerun_with_the_same_key_is_the_same_job(client: Client) -> None:
    job = client.jobs.create(SPEC)

    assert job.rerun(idempotency_key="once").id == client.jobs.rerun(job.id, idempotency_key="once").id


def test_a_rerun_from_no_checkpoint_is_a_conflict(client: Client) -> None:
    with pytest.raises(ConflictError, match="no checkpoint"):
        client.jobs.create(SPEC).rerun(start_from="checkpoint")


def test_compare_takes_jobs_and_ids(server: Any, client: Client) -> None:
    job = client.jobs.create(SPEC)

    comparison = client.compare({"none": [job], "dropout": ["job_2", "job_3"]}, metric="test/accuracy")

    groups = [{"name": "none", "job_ids": [job.id]}, {"name": "dropout", "job_ids": ["job_2", "job_3"]}]
    assert server.bodies == [{"groups": groups, "metric": "test/accuracy"}]
    assert comparison["differences"][0]["group"] == "dropout"


def test_one_name_or_job_where_several_may_be_is_not_taken_for_its_letters(
    server: Any, client: Client, tmp_path: Path
) -> None:
    job = client.jobs.create(SPEC)

    client.compare({"a": job.id, "b": job}, metric="test/loss")  # type: ignore[dict-item] # as a script may

    assert [group["job_ids"] for group in server.bodies[0]["groups"]] == [[job.id], [job.id]]
    assert [path.name for path in job.download(tmp_path, "model.safetensors")] == ["model.safetensors"]
