import gzip
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.services import Services
from jobs.model import Capabilities
from jobs.states import Reason, make_reason

CSV = b"age,churn\n41,no\n"
AS_CSV = {"Content-Type": "text/csv"}
NOBODY = "ds_" + "0" * 26


@pytest.fixture
def files(services: Services) -> Callable[[], list[Path]]:
    """Gives every file of the artifact store, also one that is being received."""
    folder = services.settings.artifacts_dir
    return lambda: [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def reject(services: Services) -> Callable[[], None]:
    """Refuses the only data set that waits, as a worker does."""

    def refuse() -> None:
        claim = services.store.claim_dataset("wrk_test")
        assert claim is not None
        reason = make_reason(
            Reason.INVALID_DATA,
            "Row 3 has 4 cells, the header 2.",
            remedy="Correct it.",
            details={"line": 4, "row": 3, "column": None},
        )
        assert services.store.reject_dataset(claim, reason)

    return refuse


def test_an_upload_is_stored_by_its_hash_and_waits_for_a_worker(
    client: TestClient, services: Services, files: Callable[[], list[Path]]
) -> None:
    response = client.post("/v1/datasets", params={"name": "rows.csv"}, content=CSV, headers=AS_CSV)

    body = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == f"/v1/datasets/{body['id']}" == body["links"]["self"]
    assert re.fullmatch(r"ds_[0-9A-HJKMNP-TV-Z]{26}", body["id"])
    assert body["sha256"] == hashlib.sha256(CSV).hexdigest()
    assert (body["size_bytes"], body["name"], body["state"]) == (len(CSV), "rows.csv", "validating")
    assert (body["num_rows"], body["columns"], body["warnings"], body["state_reason"]) == (None, [], [], None)
    assert client.get(response.headers["location"]).json() == body
    assert [path.read_bytes() for path in files()] == [CSV]
    claim = services.store.claim_dataset("wrk_test")
    assert claim is not None
    assert (claim.format, claim.header) == ("csv", "auto")


def test_a_set_that_was_read_shows_its_columns(client: TestClient, dataset_id: str) -> None:
    body = client.get(f"/v1/datasets/{dataset_id}").json()
    preview = client.get(f"/v1/datasets/{dataset_id}/preview").json()

    assert (body["state"], body["num_rows"], body["num_columns"], body["modality"]) == ("ready", 200, 3, "table")
    assert [(one["name"], one["type"]) for one in body["columns"]][:2] == [("age", "number"), ("city", "category")]
    assert (body["columns"][0]["num_missing"], body["columns"][1]["num_distinct"]) == (29, 3)
    assert body["columns"][1]["examples"] == ["Oslo", "Bergen", "Rome"]
    assert preview["columns"] == ["age", "city", "churn"]
    assert preview["rows"][:2] == [["", "Oslo", "no"], ["21", "Bergen", "yes"]]
    assert len(preview["rows"]) == 20


def test_known_bytes_give_the_set_as_it_is(client: TestClient, stranger: str, reject: Callable[[], None]) -> None:
    first = client.post("/v1/datasets", content=CSV, headers=AS_CSV).json()
    reject()

    again = client.post("/v1/datasets", params={"name": "other.csv"}, content=CSV, headers=AS_CSV)
    other_header = client.post("/v1/datasets", params={"header": "no"}, content=CSV, headers=AS_CSV)
    other_tenant = client.post("/v1/datasets", content=CSV, headers=AS_CSV | {"Authorization": f"Bearer {stranger}"})

    assert again.status_code == 200
    assert again.json() == client.get(f"/v1/datasets/{first['id']}").json()
    assert again.json()["state"] == "invalid"
    assert (other_header.status_code, other_tenant.status_code) == (202, 202)
    assert len({first["id"], other_header.json()["id"], other_tenant.json()["id"]}) == 3


def test_a_set_that_cannot_be_read_says_where_and_what_to_do(
    client: TestClient, reject: Callable[[], None], spec: dict[str, Any], problem_of: Any
) -> None:
    dataset_id = client.post("/v1/datasets", content=CSV, headers=AS_CSV).json()["id"]
    reject()

    reason = client.get(f"/v1/datasets/{dataset_id}").json()["state_reason"]
    preview = problem_of(client.get(f"/v1/datasets/{dataset_id}/preview"), 409, "illegal_action")
    spec["data"] = {"kind": "dataset", "id": dataset_id, "target": "churn"}
    refused = problem_of(client.post("/v1/jobs", json=spec), 422, "invalid_spec")

    assert reason["code"] == "invalid_data"
    assert reason["details"] == {"line": 4, "row": 3, "column": None}
    assert "Row 3 has 4 cells" in preview["detail"]
    (error,) = refused["errors"]
    assert (error["pointer"], error["code"]) == ("/data/id", "dataset_invalid")
    assert "Row 3 has 4 cells, the header 2. Correct it." in error["message"]


def test_a_key_gives_the_first_answer_again(client: TestClient, problem_of: Any) -> None:
    headers = AS_CSV | {"Idempotency-Key": "one"}
    first = client.post("/v1/datasets", content=CSV, headers=headers)

    again = client.post("/v1/datasets", content=CSV, headers=headers)

    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    for change in ({"content": b"others"}, {"params": {"header": "no"}}, {"params": {"name": "other"}}):
        refused = client.post("/v1/datasets", **{"content": CSV, "headers": headers, **change})
        problem_of(refused, 422, "idempotency_mismatch")


def test_gzip_is_kept_as_it_was_sent(client: TestClient, files: Callable[[], list[Path]]) -> None:
    packed = gzip.compress(CSV)

    by_header = client.post("/v1/datasets", content=packed, headers=AS_CSV | {"Content-Encoding": "gzip"})
    by_bytes = client.post("/v1/datasets", content=packed, headers=AS_CSV)

    assert (by_header.status_code, by_bytes.status_code) == (202, 200)
    assert [path.read_bytes() for path in files()] == [packed]


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({}, "none"),
        ({"Content-Type": "application/json"}, "application/json"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, "multipart/form-data"),
        ({**AS_CSV, "Content-Encoding": "br"}, "'br'"),
        ({**AS_CSV, "Content-Encoding": "gzip, gzip"}, "gzip, gzip"),
    ],
    ids=str,
)
def test_other_media_types_are_refused(
    client: TestClient, problem_of: Any, files: Callable[[], list[Path]], headers: dict[str, str], named: str
) -> None:
    response = client.post("/v1/datasets", content=CSV, headers=headers)

    assert named in problem_of(response, 415, "unsupported_media_type")["detail"]
    assert {"accept", "accept-encoding"} & response.headers.keys()
    assert files() == []


@pytest.mark.parametrize(
    "name", ["", "a\0b", "a\nb", "\x7f", "..", ".", "../x", "/etc/passwd", "a\\b", " x", "x" * 201, "\u202e"], ids=ascii
)
def test_names_that_are_none_are_refused(client: TestClient, problem_of: Any, name: str) -> None:
    response = client.post("/v1/datasets", params={"name": name}, content=CSV, headers=AS_CSV)

    assert problem_of(response, 422, "invalid_parameter")["errors"][0]["parameter"] == "name"


def test_lists_are_filtered_and_come_in_pages(client: TestClient, upload_table: Any) -> None:
    ids = [upload_table(num_rows, f"{num_rows}.csv") for num_rows in (140, 150, 160)]
    waiting = client.post("/v1/datasets", content=CSV, headers=AS_CSV).json()

    pages = [client.get("/v1/datasets", params={"limit": 3}).json()]
    pages.append(client.get("/v1/datasets", params={"limit": 3, "after": pages[0]["next_after"]}).json())
    filters: dict[str, list[str]] = {
        "state=ready": ids[::-1],
        "state=validating,invalid": [waiting["id"]],
        f"sha256={waiting['sha256']}": [waiting["id"]],
        "name=150.csv": [ids[1]],
        "sort=created_at&limit=1": [ids[0]],
    }

    assert [one["id"] for page in pages for one in page["data"]] == [waiting["id"], *ids[::-1]]
    assert [page["has_more"] for page in pages] == [True, False]
    assert "columns" not in pages[0]["data"][1]
    for query, expected in filters.items():
        assert [one["id"] for one in client.get(f"/v1/datasets?{query}").json()["data"]] == expected, query


@pytest.mark.parametrize("query", ["state=read", "sha256=abc", "after=x", "sort=size_bytes", "limit=0"])
def test_a_wrong_filter_is_named(client: TestClient, problem_of: Any, query: str) -> None:
    problem = problem_of(client.get(f"/v1/datasets?{query}"), 422, "invalid_parameter")

    assert problem["errors"][0]["parameter"] == query.partition("=")[0]


def test_what_is_not_there_or_anothers_is_a_404_alike(
    client: TestClient, stranger: str, dataset_id: str, problem_of: Any
) -> None:
    for key, asked in ((None, NOBODY), (stranger, dataset_id)):
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        for method, path in (("GET", ""), ("GET", "/preview"), ("DELETE", "")):
            response = client.request(method, f"/v1/datasets/{asked}{path}", headers=headers)
            problem_of(response, 404, "dataset_not_found")
    assert client.get(f"/v1/datasets/{dataset_id}").status_code == 200


def test_the_tag_changes_when_it_was_read(client: TestClient, reject: Callable[[], None]) -> None:
    url = client.post("/v1/datasets", content=CSV, headers=AS_CSV).headers["location"]
    before = client.get(url).headers["etag"]

    assert client.get(url, headers={"If-None-Match": before}).status_code == 304
    reject()

    assert client.get(url, headers={"If-None-Match": before}).json()["state"] == "invalid"
    assert client.delete(url, headers={"If-Match": before}).status_code == 412
    assert client.delete(url, headers={"If-Match": client.get(url).headers["etag"]}).status_code == 204


def test_a_set_that_is_being_read_lets_jobs_and_previews_wait(
    client: TestClient, spec: dict[str, Any], sweep_spec: dict[str, Any], problem_of: Any
) -> None:
    dataset_id = client.post("/v1/datasets", content=CSV, headers=AS_CSV).json()["id"]
    spec["data"] = {"kind": "dataset", "id": dataset_id, "target": "churn"}
    sweep_spec["base"] = spec

    answers = [
        client.post("/v1/jobs", json=spec),
        client.post("/v1/jobs?validate_only=true", json=spec),
        client.post("/v1/sweeps", json=sweep_spec),
        client.get(f"/v1/datasets/{dataset_id}/preview"),
    ]

    for answer in answers:
        problem_of(answer, 409, "dataset_not_ready")
        assert int(answer.headers["retry-after"]) > 0
    spec["training"]["epochs"] = -1
    problem = problem_of(client.post("/v1/jobs", json=spec), 422, "invalid_spec")
    assert {error["pointer"] for error in problem["errors"]} >= {"/training/epochs"}


def test_a_job_on_a_set_is_planned_by_its_facts_and_names_it(
    client: TestClient, services: Services, table_spec: dict[str, Any], dataset_id: str
) -> None:
    validated = client.post("/v1/jobs?validate_only=true", json=table_spec).json()
    job = client.post("/v1/jobs", json=table_spec).json()
    other = client.post("/v1/jobs", json={**table_spec, "data": {"kind": "builtin", "name": "wine"}}).json()

    assert job["plan"] == validated["plan"]
    assert sum(job["plan"]["num_rows"][split] for split in ("train", "validation", "test")) == 200
    assert (job["dataset_id"], other["dataset_id"]) == (dataset_id, None)
    listed = client.get("/v1/jobs", params={"dataset_id": dataset_id}).json()["data"]
    assert [(one["id"], one["dataset_id"]) for one in listed] == [(job["id"], dataset_id)]
    claimed = services.store.claim("wrk_test", Capabilities(frozenset({"cpu"})))
    assert claimed is not None
    assert claimed.jobs[0].dataset_id == dataset_id


@pytest.mark.parametrize(
    ("change", "pointer", "said"),
    [
        ({"id": NOBODY}, "/data/id", "one of your data sets"),
        ({"target": "chrun"}, "/data/target", "churn"),
        ({"exclude": ["cty"]}, "/data/exclude/0", "city"),
        ({"kind": "file", "path": "rows.csv", "id": None}, "/data/kind", "regcore submit"),
        ({"kind": "arrays", "id": None}, "/data/kind", "regcore.train"),
    ],
    ids=str,
)
def test_what_does_not_fit_the_set_is_named(
    client: TestClient,
    table_spec: dict[str, Any],
    problem_of: Any,
    num_jobs: Any,
    change: dict[str, Any],
    pointer: str,
    said: str,
) -> None:
    data = {name: value for name, value in (table_spec["data"] | change).items() if value is not None}

    problem = problem_of(client.post("/v1/jobs", json={**table_spec, "data": data}), 422, "invalid_spec")

    (error,) = problem["errors"]
    assert error["pointer"] == pointer
    assert said in error["message"]
    assert num_jobs() == 0


def test_a_set_that_a_job_needs_is_not_deleted_and_then_goes_with_its_file(
    client: TestClient, services: Services, table_spec: dict[str, Any], dataset_id: str, problem_of: Any
) -> None:
    job_id = client.post("/v1/jobs", json=table_spec).json()["id"]
    sha256 = client.get(f"/v1/datasets/{dataset_id}").json()["sha256"]

    refused = problem_of(client.delete(f"/v1/datasets/{dataset_id}"), 409, "illegal_action")
    client.post(f"/v1/jobs/{job_id}/cancel")
    deleted = client.delete(f"/v1/datasets/{dataset_id}")

    assert f"needed by {job_id} (queued)" in refused["detail"]
    assert deleted.status_code == 204
    assert client.get(f"/v1/datasets/{dataset_id}").status_code == 404
    assert client.get(f"/v1/jobs/{job_id}").json()["dataset_id"] == dataset_id
    rerun = problem_of(client.post(f"/v1/jobs/{job_id}/rerun"), 422, "invalid_spec")
    assert [(one["pointer"], one["code"]) for one in rerun["errors"]] == [("/data/id", "dataset_not_found")]
    services.artifacts.delete_unreferenced(services.store.referenced, min_age_s=-1)
    assert not services.artifacts.path(sha256).exists()


def test_sweeps_and_reruns_train_on_it(
    client: TestClient, table_spec: dict[str, Any], sweep_spec: dict[str, Any], dataset_id: str
) -> None:
    sweep = client.post("/v1/sweeps", json={**sweep_spec, "base": table_spec})
    job_id = client.post("/v1/jobs", json=table_spec).json()["id"]
    rerun = client.post(f"/v1/jobs/{job_id}/rerun", json={"patch": []})

    assert (sweep.status_code, rerun.status_code) == (201, 201)
    assert rerun.json()["dataset_id"] == dataset_id
    members = client.get("/v1/jobs", params={"sweep_id": sweep.json()["id"]}).json()["data"]
    assert {one["dataset_id"] for one in members} == {dataset_id}
    assert len(members) == 6


def test_a_sweep_names_the_place_of_a_set_that_is_not_there(
    client: TestClient, table_spec: dict[str, Any], sweep_spec: dict[str, Any], problem_of: Any
) -> None:
    table_spec["data"]["id"] = NOBODY

    problem = problem_of(client.post("/v1/sweeps", json={**sweep_spec, "base": table_spec}), 422, "invalid_spec")

    assert [(one["pointer"], one["code"]) for one in problem["errors"]] == [("/base/data/id", "dataset_not_found")]


def test_the_document_names_every_media_type(client: TestClient) -> None:
    upload = json.loads(client.get("/openapi.json").text)["paths"]["/v1/datasets"]["post"]

    assert {
        "text/csv",
        "application/vnd.apache.parquet",
        "application/x-ndjson",
        "application/zip",
        "application/octet-stream",
    } <= upload["requestBody"]["content"].keys()
