import csv
import io
from typing import Any

import pytest
from fastapi.testclient import TestClient


def test_metrics_come_in_order_with_times_and_nulls(client: TestClient, finished: str) -> None:
    page = client.get(f"/v1/jobs/{finished}/metrics").json()

    assert [row["epoch"] for row in page["data"]] == list(range(1, 11))
    assert page["data"][0]["at"] == "2023-11-14T22:13:21.123Z"
    assert page["data"][-1]["values"] == {"train/loss": 0.1, "test/loss": None}
    assert page["data"][-1]["non_finite"] == ["test/loss"]
    assert (page["has_more"], page["state"]) == (False, "succeeded")
    assert page["next_after"] == page["data"][-1]["seq"]


def test_pages_join_without_gap_or_overlap(client: TestClient, finished: str) -> None:
    epochs, after, has_more = [], 0, True
    while has_more:
        page = client.get(f"/v1/jobs/{finished}/metrics", params={"after": after, "limit": 4}).json()
        epochs += [row["epoch"] for row in page["data"]]
        after, has_more = page["next_after"], page["has_more"]

    assert epochs == list(range(1, 11))


def test_names_choose_metrics_and_drop_rows_without_them(client: TestClient, finished: str) -> None:
    page = client.get(f"/v1/jobs/{finished}/metrics?names=test/loss,none").json()
    nothing = client.get(f"/v1/jobs/{finished}/metrics?names=none").json()

    assert {name for row in page["data"] for name in row["values"]} == {"test/loss"}
    assert (nothing["data"], nothing["next_after"], nothing["has_more"]) == ([], 0, False)


@pytest.mark.parametrize("max_points", [2, 3, 9, 10, 50])
def test_a_thinned_curve_keeps_its_ends(max_points: int, client: TestClient, finished: str) -> None:
    page = client.get(f"/v1/jobs/{finished}/metrics", params={"max_points": max_points, "limit": 1}).json()

    epochs = [row["epoch"] for row in page["data"]]
    assert len(epochs) == min(max_points, 10)
    assert (epochs[0], epochs[-1]) == (1, 10)
    assert epochs == sorted(set(epochs))
    assert page["has_more"] is False


def test_metrics_as_csv(client: TestClient, finished: str) -> None:
    response = client.get(f"/v1/jobs/{finished}/metrics", headers={"Accept": "text/csv"})

    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert response.headers["content-type"].startswith("text/csv")
    assert len(rows) == 10
    assert rows[0]["at"] == "2023-11-14T22:13:21.123Z"
    assert (rows[-1]["train/loss"], rows[-1]["test/loss"]) == ("0.1", "")


def test_a_representation_that_there_is_not_is_a_406(client: TestClient, finished: str, problem_of: Any) -> None:
    response = client.get(f"/v1/jobs/{finished}/metrics", headers={"Accept": "image/png"})

    problem = problem_of(response, 406, "not_acceptable")
    assert "text/csv" in problem["detail"]
