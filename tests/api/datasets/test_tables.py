from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.datasets.tables import facts_of, facts_of_dataset, refuse_missing
from api.services import Services
from jobs.errors import DatasetNotFoundError
from regcore.errors import SpecError
from regcore.spec import parse_spec

TENANT = "default"


def test_facts_of_a_data_set_are_those_that_a_worker_found(services: Services, table_spec: dict[str, Any]) -> None:
    found = facts_of(services, TENANT)(parse_spec(table_spec))

    assert (found.name, found.modality, found.num_rows) == ("customers.csv", "table", 200)
    assert found.classes == ("no", "yes")


def test_facts_of_built_in_data_are_known(services: Services, spec: dict[str, Any]) -> None:
    assert facts_of(services, TENANT)(parse_spec(spec)).name == "digits"


def test_a_set_is_looked_up_once_for_a_request(
    services: Services, table_spec: dict[str, Any], dataset_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, parsed = facts_of(services, TENANT), parse_spec(table_spec)
    first = find(parsed)
    monkeypatch.setattr(type(services.store), "get_dataset", pytest.fail)

    assert find(parsed) == first


def test_what_facts_follow_from_is_looked_at_anew(services: Services, table_spec: dict[str, Any]) -> None:
    find = facts_of(services, TENANT)
    first = find(parse_spec(table_spec))

    other_model = find(parse_spec(table_spec | {"model": {"kind": "linear"}}))
    other_target = find(parse_spec(table_spec | {"data": table_spec["data"] | {"target": "city"}}))
    regression = find(
        parse_spec(table_spec | {"data": table_spec["data"] | {"target": "age"}, "task": {"kind": "regression"}})
    )

    assert other_model is first
    assert other_target.classes == ("Bergen", "Oslo", "Rome")
    assert regression.classes is None


def test_another_tenants_set_is_missing_even_if_its_facts_are_kept(
    services: Services, table_spec: dict[str, Any]
) -> None:
    parsed = parse_spec(table_spec)
    facts_of(services, TENANT)(parsed)

    with pytest.raises(SpecError, match=r"data\.id must name one of your data sets"):
        facts_of(services, "other")(parsed)


def test_a_set_that_is_deleted_a_moment_later_has_no_facts(
    services: Services, client: TestClient, dataset_id: str
) -> None:
    dataset = services.store.get_dataset(TENANT, dataset_id)
    client.delete(f"/v1/datasets/{dataset_id}")

    assert facts_of_dataset(services, dataset) is None


def test_a_missing_set_is_named_with_those_that_there_are() -> None:
    (error,) = refuse_missing(DatasetNotFoundError("ds_x", ["ds_1"])).errors

    assert (error.pointer, error.code) == ("/data/id", "dataset_not_found")
    assert "The newest that there are: ds_1." in error.message
