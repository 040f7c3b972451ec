import dataclasses
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.http.schemas import View
from api.jobs.schemas import (
    ArtifactView,
    JobSummaryView,
    JobView,
    show_artifact,
    show_job,
    show_summary,
    show_validation,
)
from api.services import Services
from jobs.model import ArtifactRow, Job, JobSummary
from regcore.plan import make_plan
from regcore.spec import parse_spec


@pytest.mark.parametrize(
    ("view", "row", "added", "hidden"),
    [
        (JobView, Job, {"links"}, {"tenant", "version", "checkpoint"}),
        (JobSummaryView, JobSummary, {"links"}, {"tenant", "version"}),
        (ArtifactView, ArtifactRow, {"url"}, set()),
    ],
)
def test_a_response_shows_what_the_store_has(view: type[View], row: Any, added: set[str], hidden: set[str]) -> None:
    stored = {field.name for field in dataclasses.fields(row)}

    assert set(view.model_fields) - added == stored - hidden


def test_a_summary_is_the_job_without_its_large_parts(services: Services, finished: str) -> None:
    job = show_job(services, services.store.get("default", finished)).model_dump()
    summary = show_summary(services, services.store.list("default").data[0]).model_dump()

    large = {"spec", "resolved_spec", "plan", "transitions"}
    assert summary == {name: value for name, value in job.items() if name not in large}


def test_every_link_of_a_job_can_be_followed(client: TestClient, finished: str) -> None:
    actions = ("cancel", "pause", "resume", "rerun")
    links = client.get(f"/v1/jobs/{finished}").json()["links"]

    statuses = {
        name: client.request("POST" if name in actions else "GET", url).status_code for name, url in links.items()
    }

    # 409: the route is there, and a job that has ended cannot be acted upon.
    expected = dict.fromkeys(("self", "metrics", "events", "report", "artifacts"), 200)
    assert statuses == {**expected, **dict.fromkeys(actions, 409), "rerun": 201}


def test_a_job_shows_the_steps_of_its_life(services: Services, finished: str) -> None:
    view = show_job(services, services.store.get("default", finished))

    assert [step.state.value for step in view.transitions] == ["queued", "starting", "running", "succeeded"]


def test_a_validation_is_what_a_submitted_job_has(client: TestClient, spec: dict[str, Any]) -> None:
    job = client.post("/v1/jobs", json=spec).json()

    shown = show_validation(make_plan(parse_spec(spec))).model_dump(mode="json")

    assert shown == {"valid": True, **{name: job[name] for name in ("resolved_spec", "plan", "warnings")}}


def test_an_artifact_has_its_address(services: Services) -> None:
    row = ArtifactRow("log.txt", 3, "ab" * 32, "text/plain")

    view = show_artifact(services, "job_1", row)

    assert view.model_dump() == {**dataclasses.asdict(row), "url": "/v1/jobs/job_1/artifacts/log.txt"}
