import dataclasses
import json
from collections.abc import Callable

from jobs.model import ClaimedRun, Job, JobSummary
from jobs.store import Store
from jobs.store.rows import job_from_json, job_to_json


def test_a_job_survives_json(store: Store, tenant: str, running: Callable[..., ClaimedRun]) -> None:
    job = store.get(tenant, running("n", labels={"a": "b"}).jobs[0].id)

    assert job_from_json(json.loads(json.dumps(job_to_json(job)))) == job


def test_a_summary_is_the_job_without_its_large_fields(store: Store, tenant: str, submit: Callable[..., Job]) -> None:
    job = submit("n", labels={"a": "b"}, priority="low")

    (summary,) = store.list(tenant).data

    names = {field.name for field in dataclasses.fields(JobSummary)}
    assert {field.name for field in dataclasses.fields(Job)} - names == {
        "spec",
        "resolved_spec",
        "plan",
        "transitions",
        "checkpoint",
    }
    assert type(summary) is JobSummary
    assert {name: getattr(summary, name) for name in names} == {name: getattr(job, name) for name in names}
