from typing import Any

from fastapi import Response

from api.jobs.schemas import Validation
from api.jobs.submissions import created, new_job, plan_job, store_job, validated
from api.services import Services
from jobs.model import IdempotencyKey


def test_a_new_job_is_what_its_plan_says_and_keeps_its_origin(services: Services, spec: dict[str, Any]) -> None:
    plan = plan_job(services, "default", spec).model_copy(update={"plugins": ["acme"]})

    job = new_job(spec, plan, parent_job_id="job_1")

    assert (job.name, job.labels, job.priority) == ("tiny", {"team": "vision"}, "normal")
    assert job.spec == spec
    assert job.resolved_spec == plan.resolved_spec.model_dump(mode="json")
    assert (job.fusion_key, job.member_bytes) == (plan.fusion_key, plan.member_bytes)
    assert job.plugins == ["acme"]
    assert job.parent_job_id == "job_1"


def test_a_job_is_stored_once_for_a_key_and_answered_with_its_address(
    services: Services, num_jobs: Any, spec: dict[str, Any]
) -> None:
    job = new_job(spec, plan_job(services, "default", spec))
    key = IdempotencyKey("POST /v1/jobs", "once", "0" * 64)
    first, second = Response(), Response()

    views = [store_job(services, response, "default", job, key) for response in (first, second)]

    assert views[0] == views[1]
    assert num_jobs() == 1
    assert first.headers["location"] == second.headers["location"] == f"/v1/jobs/{views[0].id}"
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"


def test_only_an_answer_given_before_is_marked(services: Services, finished: str) -> None:
    response = Response()

    created(services, response, services.store.get("default", finished), replayed=False)

    assert "idempotency-replayed" not in response.headers


def test_a_validation_is_answered_as_json(services: Services, spec: dict[str, Any]) -> None:
    response = validated(services, plan_job(services, "default", spec))

    assert Validation.model_validate_json(bytes(response.body)).valid is True
