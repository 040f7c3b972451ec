import copy
from pathlib import Path
from typing import Any

import pytest

from regclient import Client, ConflictError, DatasetInvalidError, UsageError
from regclient.own_data import replace_files, upload_files
from regcore import JobSpec


@pytest.fixture
def rows_csv(server: Any, tmp_path: Path) -> str:
    path = tmp_path / "rows.csv"
    path.write_text("age,city\n41,Oslo\n,Bergen\n")
    return str(path)


def not_ready(retry_after: bool = True) -> Any:
    from fastapi.responses import JSONResponse

    body = {"type": "urn:regcore:problem:dataset_not_ready", "title": "Not ready", "status": 409}
    return JSONResponse(body, 409, {"Retry-After": "0"} if retry_after else None)


def test_every_file_is_uploaded_once_and_the_spec_stays_as_it_was(server: Any, rows_csv: str) -> None:
    file = {"kind": "file", "path": rows_csv, "target": "city", "header": "yes"}
    spec = {
        "base": {"data": file, "labels": {"kind": "file", "path": "no data"}},
        "axes": [{"pointer": "/data", "values": [file, {**file, "target": "age"}]}],
        "variants": [{"name": "v", "patch": [{"op": "replace", "path": "/data", "value": file}], "axes": []}],
    }
    before = copy.deepcopy(spec)

    with Client() as client:
        replaced = upload_files(client.datasets, spec)

    [dataset_id] = server.datasets.bodies
    expected = {"kind": "dataset", "id": dataset_id, "target": "city"}
    assert replaced["base"] == {"data": expected, "labels": {"kind": "file", "path": "no data"}}
    assert replaced["axes"][0]["values"] == [expected, {**expected, "target": "age"}]
    assert replaced["variants"][0]["patch"][0]["value"] == expected
    assert server.datasets.bodies[dataset_id]["header"] == "yes"
    assert spec == before


def test_a_spec_without_files_is_left_alone_to_any_depth() -> None:
    nested: list[Any] = []
    nested.append(nested)
    spec = {"data": {"kind": "builtin", "name": "wine"}, "odd": ({"kind": "file"}, {"kind": "file", "path": 7})}

    assert replace_files(spec, dict) == {**spec, "odd": list(spec["odd"])}
    assert isinstance(replace_files(nested, dict), list)


def test_a_job_spec_with_a_file_is_submitted_and_checked(server: Any, rows_csv: str) -> None:
    spec = JobSpec.model_validate(
        {"data": {"kind": "file", "path": rows_csv, "target": "city"}, "model": {"kind": "linear"}}
    )

    with Client() as client:
        job = client.jobs.create(spec)
        checked = client.jobs.validate(spec)
        sweep = client.sweeps.create({"base": {"data": spec.data.model_dump(), "model": {"kind": "linear"}}})
        again = job.rerun([{"op": "replace", "path": "/data", "value": spec.data.model_dump()}])

    [dataset_id] = server.datasets.bodies
    assert job.spec["data"] == {"kind": "dataset", "id": dataset_id, "target": "city"}
    assert checked["resolved_spec"]["data"]["id"] == dataset_id
    assert sweep.spec["base"]["data"]["id"] == dataset_id
    assert server.bodies[-1]["patch"][0]["value"]["id"] == dataset_id
    assert again.parent_job_id == job.id
    assert server.datasets.num_begun == 1


@pytest.mark.parametrize("retry_after", [True, False])
def test_a_set_that_is_still_read_is_waited_for(server: Any, rows_csv: str, retry_after: bool) -> None:
    with Client(max_retries=0) as client:
        dataset = client.datasets.upload(rows_csv, wait=False)
        assert dataset.state == "validating"
        server.refuse_jobs = [not_ready(retry_after)]

        job = client.jobs.create({"data": {"kind": "dataset", "id": dataset.id, "target": "city"}, "model": {}})

        assert client.datasets.get(dataset.id).state == "ready"
    assert list(server.jobs) == [job.id]


def test_a_set_that_turns_out_invalid_is_no_job(server: Any, rows_csv: str) -> None:
    server.datasets.invalid = True
    with Client(max_retries=0) as client:
        dataset = client.datasets.upload(rows_csv, wait=False)
        server.refuse_jobs = [not_ready()]

        with pytest.raises(DatasetInvalidError, match="row 6"):
            client.jobs.create({"data": {"kind": "dataset", "id": dataset.id}, "model": {}})

    assert server.jobs == {}


@pytest.mark.parametrize("header", ["maybe", ["yes"], None, True])
def test_a_wrong_header_in_a_spec_is_a_usage_error(server: Any, rows_csv: str, header: Any) -> None:
    with Client() as client, pytest.raises(UsageError, match="header: expected one of auto, yes, no"):
        client.jobs.create({"data": {"kind": "file", "path": rows_csv, "header": header}, "model": {}})

    assert server.requests == []


def test_another_conflict_is_raised_at_once(server: Any) -> None:
    with Client(max_retries=0) as client:
        job = client.jobs.create({})

        with pytest.raises(ConflictError, match="no checkpoint"):
            job.rerun(start_from="checkpoint")
