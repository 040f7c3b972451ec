from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.services import Services
from api.sweeps.submissions import new_sweep, plan_members

Json = dict[str, Any]
NUM_ROWS = 40


def result(loss: float, right: float = 0.5, seed: int = 0) -> Json:
    """A job's result with the rows that its metrics are the means of."""
    noise = np.random.default_rng(seed).normal(0, 0.01, NUM_ROWS)
    accuracy = np.arange(NUM_ROWS) < right * NUM_ROWS
    losses = loss + noise - noise.mean()
    metrics = {
        "validation/loss": loss,
        "validation/accuracy": float(accuracy.mean()),
        "test/loss": float(losses.mean()),
        "test/accuracy": float(accuracy.mean()),
    }
    noise = np.random.default_rng(100 + seed).normal(0, 0.02, 2 * NUM_ROWS)
    rows = {"test/loss": losses, "train/loss": noise - noise.mean(), "test/accuracy": accuracy}
    return {"metrics": metrics, "generalization_gap": loss, "rows": rows}


def submit(client: TestClient, spec: Json, **changes: Any) -> Json:
    response = client.post("/v1/sweeps", json={**spec, **changes})
    assert response.status_code == 201, response.text
    sweep: Json = response.json()
    return sweep


def compare(client: TestClient, groups: dict[str, list[str]], metric: str = "test/loss") -> Any:
    listed = [{"name": name, "job_ids": job_ids} for name, job_ids in groups.items()]
    return client.post("/v1/comparisons", json={"groups": listed, "metric": metric})


@pytest.fixture
def seeds(client: TestClient, sweep_spec: Json) -> None:
    """Six jobs that wait: two strengths with three seeds each."""
    axis = {"pointer": "/regularizers/0/strength", "values": [1e-4, 1e-3]}
    submit(client, sweep_spec, axes=[axis], seeds=[0, 1, 2])


@pytest.mark.usefixtures("seeds")
def test_the_same_test_rows_are_compared_row_by_row(client: TestClient, end_jobs: Any) -> None:
    ids = end_jobs([result(0.5, right, seed) for seed, right in enumerate([0.5, 0.6, 0.55, 0.95, 0.9, 1.0])])

    said = compare(client, {"a": ids[:3], "b": ids[3:]}, "test/accuracy").json()

    (difference,) = said["differences"]
    assert difference["verdict"] == "helps"
    assert len(difference["tests"]["mcnemar"]) == 3
    assert difference["tests"]["mcnemar"][0]["job_ids"] == [ids[0], ids[3]]
    assert difference["tests"]["mcnemar"][0]["num_only_group_right"] == 18
    assert difference["standard_error"]["rows"] > 0


@pytest.mark.usefixtures("seeds")
@pytest.mark.parametrize("how", ["lost", "truncated", "altered"])
def test_rows_that_the_disk_has_lost_are_not_taken_for_rows_that_were_never_kept(
    how: str, client: TestClient, services: Services, end_jobs: Any, problem_of: Any
) -> None:
    ids = end_jobs([result(0.5, seed=seed) for seed in range(6)])
    file = services.artifacts.path(services.store.artifact("default", ids[4], "rows.safetensors").sha256)
    content = file.read_bytes()
    file.unlink()
    if how != "lost":
        file.write_bytes(content[:-1] if how == "truncated" else content[::-1])

    problem = problem_of(compare(client, {"a": ids[:3], "b": ids[3:]}), 500, "artifact_damaged")

    assert "rows.safetensors" in problem["detail"]


@pytest.mark.usefixtures("seeds")
def test_without_rows_the_noise_of_training_is_left(client: TestClient, end_jobs: Any) -> None:
    results = [result(0.5 + seed / 100) for seed in range(6)]
    ids = end_jobs([{name: one[name] for name in ("metrics", "generalization_gap")} for one in results])

    (difference,) = compare(client, {"a": ids[:3], "b": ids[3:]}).json()["differences"]

    assert difference["standard_error"]["rows"] is None
    assert "rows are not known" in difference["note"]


@pytest.mark.usefixtures("seeds")
@pytest.mark.parametrize("metric", ["test/loss", "generalization_gap"])
def test_without_rows_the_noise_of_training_alone_makes_no_verdict(
    metric: str, client: TestClient, sweep_spec: Json, end_jobs: Any
) -> None:
    results = [result(loss, seed=k) for k, loss in enumerate([0.50, 0.52, 0.51, 0.10, 0.13, 0.11])]
    known = end_jobs(results)
    submit(client, sweep_spec, seeds=[0, 1, 2], axes=[{"pointer": "/regularizers/0/strength", "values": [1e-4, 1e-3]}])
    unknown = end_jobs([{name: one[name] for name in ("metrics", "generalization_gap")} for one in results])

    with_rows, without = (
        compare(client, {"a": ids[:3], "b": ids[3:]}, metric).json()["differences"][0] for ids in (known, unknown)
    )

    assert with_rows["verdict"] == "helps"
    assert without["p_value"] < 0.05
    assert without["verdict"] == "no_measurable_effect"
    assert "not claimed" in without["note"]


@pytest.mark.usefixtures("seeds")
def test_the_gaps_noise_is_that_of_test_and_train_rows(client: TestClient, end_jobs: Any) -> None:
    results = [result(0.5, seed=0), result(0.4, seed=1)]
    ids = end_jobs(results)

    (difference,) = compare(client, {"a": ids[:1], "b": ids[1:]}, "generalization_gap").json()["differences"]

    variances = [
        np.var(results[1]["rows"][name] - results[0]["rows"][name]) / len(results[0]["rows"][name])
        for name in ("test/loss", "train/loss")
    ]
    assert difference["standard_error"]["rows"] == pytest.approx(np.sqrt(sum(variances)), rel=0.01)


@pytest.mark.usefixtures("seeds")
def test_jobs_that_failed_are_missing(client: TestClient, end_jobs: Any) -> None:
    ids = end_jobs([result(0.5), None, result(0.6), result(0.1), result(0.1), result(0.1)])

    groups = compare(client, {"a": ids[:3], "b": ids[3:]}, "generalization_gap").json()["groups"]

    assert [(group["num"], group["num_missing"]) for group in groups] == [(2, 1), (3, 0)]


@pytest.mark.usefixtures("seeds")
def test_every_wrong_job_is_named(client: TestClient, end_jobs: Any, stranger: str, problem_of: Any) -> None:
    done = end_jobs([result(0.5)])[0]
    waiting = client.get("/v1/jobs", params={"state": "queued"}).json()["data"][0]["id"]
    body = {"groups": [{"name": "a", "job_ids": [done, done, "job_none"]}, {"name": "a", "job_ids": [waiting]}]}

    problem = problem_of(client.post("/v1/comparisons", json=body), 422, "invalid_spec")

    found = {error["pointer"]: error["code"] for error in problem["errors"]}
    assert found == {
        "/groups/0/job_ids/1": "doubled",
        "/groups/0/job_ids/2": "job_not_found",
        "/groups/1/name": "doubled",
        "/groups/1/job_ids/0": "job_not_ended",
    }
    foreign = client.post("/v1/comparisons", json=body, headers={"Authorization": f"Bearer {stranger}"})
    assert "/groups/0/job_ids/0" in [error["pointer"] for error in foreign.json()["errors"]]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/groups"),
        ({"groups": [{"name": "a", "job_ids": ["x"]}]}, "/groups"),
        ({"groups": [{"name": "a", "job_ids": []}] * 2}, "/groups/0/job_ids"),
        ({"groups": [{"name": "a", "job_ids": ["x"]}] * 2, "metrics": "x"}, "/metrics"),
    ],
)
def test_a_wrong_body_is_explained(body: Json, pointer: str, client: TestClient, problem_of: Any) -> None:
    problem = problem_of(client.post("/v1/comparisons", json=body), 422, "invalid_spec")

    assert pointer in [error["pointer"] for error in problem["errors"]]


@pytest.mark.usefixtures("seeds")
def test_an_unknown_metric_is_refused_with_those_that_there_are(
    client: TestClient, end_jobs: Any, problem_of: Any
) -> None:
    ids = end_jobs([result(0.5), result(0.6)])

    problem = problem_of(compare(client, {"a": ids[:1], "b": ids[1:]}, "test/beauty"), 422, "invalid_spec")

    assert problem["errors"][0]["pointer"] == "/metric"
    assert "test/accuracy" in problem["detail"]


@pytest.mark.parametrize(
    ("change", "metric", "comparable"),
    [
        ({"data": {"kind": "builtin", "name": "wine"}}, "test/accuracy", False),
        ({"task": {"class_weights": "balanced"}}, "test/loss", False),
        ({"task": {"class_weights": "balanced"}}, "test/accuracy", True),
        ({"model": {"kind": "linear"}}, "test/loss", True),
    ],
)
def test_only_like_is_compared_with_like(
    change: Json, metric: str, comparable: bool, client: TestClient, spec: Json, end_jobs: Any, problem_of: Any
) -> None:
    for body in (spec, {**spec, **change}):
        assert client.post("/v1/jobs", json=body).status_code == 201
    ids = end_jobs([result(0.5), result(0.6, 0.6)])

    response = compare(client, {"a": ids[:1], "b": ids[1:]}, metric)

    if comparable:
        assert response.status_code == 200
    else:
        assert problem_of(response, 422, "invalid_spec")["errors"][0]["code"] == "not_comparable"


@pytest.fixture
def variants(client: TestClient, sweep_spec: Json) -> Json:
    """A sweep of two variants, of which one has two strengths, with two seeds each."""
    tuned = {"name": "l1", "axes": [{"pointer": "/regularizers/0/strength", "values": [1e-4, 1e-3]}]}
    plain = {"name": "none", "patch": [{"op": "remove", "path": "/regularizers/0"}]}
    return submit(client, sweep_spec, axes=[], variants=[plain, tuned])


def test_variants_are_compared_at_their_best(client: TestClient, variants: Json, end_jobs: Any) -> None:
    ids = end_jobs([result(loss, seed=k) for k, loss in enumerate([0.50, 0.52, 0.9, 0.9, 0.20, 0.22])])

    said = client.get(f"/v1/sweeps/{variants['id']}/comparison").json()

    assert said["objective"] == {"metric": "validation/loss", "mode": "min"}
    assert said["metric"] == "test/loss"
    assert [(group["name"], group["job_ids"]) for group in said["groups"]] == [("none", ids[:2]), ("l1", ids[4:])]
    assert said["groups"][1]["values"] == {"/regularizers/0/strength": 1e-3}
    (difference,) = said["differences"]
    assert (difference["baseline"], difference["group"]) == ("none", "l1")
    assert difference["difference"]["value"] == pytest.approx(-0.3)
    assert difference["verdict"] == "helps"


def test_the_chosen_are_compared_by_any_metric(
    client: TestClient, variants: Json, end_jobs: Any, problem_of: Any
) -> None:
    end_jobs(
        [result(loss, right) for loss, right in [(0.5, 0.5), (0.5, 0.5), (0.9, 1), (0.9, 1), (0.2, 0.6), (0.2, 0.6)]]
    )
    url = f"/v1/sweeps/{variants['id']}/comparison"

    said = client.get(url, params={"metric": "test/accuracy"}).json()

    assert (said["metric"], said["mode"]) == ("test/accuracy", "max")
    assert [group["mean"] for group in said["groups"]] == pytest.approx([0.5, 0.6])
    problem = problem_of(client.get(url, params={"metric": "test/beauty"}), 422, "invalid_parameter")
    assert problem["errors"][0]["parameter"] == "metric"


def test_a_variant_without_any_result_is_compared_as_missing(client: TestClient, variants: Json, end_jobs: Any) -> None:
    end_jobs([None, None, *[result(0.5)] * 4])

    said = client.get(f"/v1/sweeps/{variants['id']}/comparison").json()

    assert said["groups"][0]["num_missing"] == 2
    assert said["differences"][0]["verdict"] == "no_measurable_effect"


def test_an_ablation_says_what_each_regularizer_contributes(
    client: TestClient, sweep_spec: Json, end_jobs: Any
) -> None:
    regularizers = [{"kind": "l1", "strength": 1e-4}, {"kind": "dropout", "p": 0.5}]
    base = {**sweep_spec["base"], "regularizers": regularizers}
    sweep = submit(client, sweep_spec, base=base, axes=[], seeds=[0, 1, 2], strategy={"kind": "ablation"})
    full, without_l1, without_dropout = [0.30, 0.31, 0.32], [0.50, 0.51, 0.53], [0.31, 0.30, 0.32]
    end_jobs([result(loss, seed=k) for k, loss in enumerate([*full, *without_l1, *without_dropout])])

    said = client.get(f"/v1/sweeps/{sweep['id']}/ablation").json()

    assert said["full"]["mean"] == pytest.approx(0.31)
    found = {one["regularizer"]: (one["contribution"]["value"], one["verdict"]) for one in said["contributions"]}
    assert found["l1"] == (pytest.approx(0.6100 / 3), "helps")
    assert found["dropout"] == (pytest.approx(0.0), "no_measurable_effect")


@pytest.mark.parametrize(
    ("metric", "warned"), [("validation/loss", True), ("validation/accuracy", True), ("test/loss", False)]
)
def test_by_the_rows_that_variants_were_chosen_by_they_are_compared_with_a_warning(
    metric: str, warned: bool, client: TestClient, variants: Json, end_jobs: Any
) -> None:
    end_jobs([result(loss, seed=k) for k, loss in enumerate([0.50, 0.52, 0.9, 0.9, 0.20, 0.22])])

    said = client.get(f"/v1/sweeps/{variants['id']}/comparison", params={"metric": metric}).json()

    note = said["differences"][0]["note"] or ""
    assert ("chosen by validation/loss" in note) == warned
    assert (f"Judge by test/{metric.partition('/')[2]}." in note) == warned


def test_where_nothing_was_chosen_nothing_is_warned_of(client: TestClient, sweep_spec: Json, end_jobs: Any) -> None:
    variants = [{"name": "a"}, {"name": "b", "patch": [{"op": "remove", "path": "/regularizers/0"}]}]
    sweep = submit(client, sweep_spec, axes=[], variants=variants)
    end_jobs([result(0.5)] * 4)

    said = client.get(f"/v1/sweeps/{sweep['id']}/comparison", params={"metric": "validation/loss"}).json()

    assert "chosen" not in said["differences"][0]["note"]


def test_the_rows_that_early_stopping_watched_are_warned_of(
    client: TestClient, sweep_spec: Json, end_jobs: Any
) -> None:
    regularizers = [{"kind": "l1", "strength": 1e-4}, {"kind": "early_stopping", "patience": 3}]
    base = {**sweep_spec["base"], "regularizers": regularizers}
    sweep = submit(client, sweep_spec, base=base, axes=[], strategy={"kind": "ablation"})
    ids = end_jobs([result(0.5, seed=k) for k in range(6)])
    url = f"/v1/sweeps/{sweep['id']}/ablation"

    watched, unseen = (client.get(url, params={"metric": f"{name}/loss"}).json() for name in ("validation", "test"))

    assert all("kept the weights that did best" in one["note"] for one in watched["contributions"])
    assert not any("kept the weights" in (one["note"] or "") for one in unseen["contributions"])
    (difference,) = compare(client, {"a": ids[:2], "b": ids[2:4]}, "validation/loss").json()["differences"]
    assert "kept the weights that did best" in difference["note"]


def test_variants_that_are_not_alike_are_not_compared(
    client: TestClient, sweep_spec: Json, services: Services, end_jobs: Any, problem_of: Any
) -> None:
    """Of a sweep that is stored: with another loss in one of its variants."""
    plan = plan_members(services, "default", {**sweep_spec, "axes": [], "variants": [{"name": "a"}, {"name": "b"}]})
    sweep = new_sweep(plan)
    for member in sweep.members[2:]:
        member.resolved_spec["task"]["class_weights"] = "balanced"
    sweep_id = services.store.submit_sweep("default", sweep, None).sweep.id
    end_jobs([result(0.5)] * 4)
    url = f"/v1/sweeps/{sweep_id}/comparison"

    problem = problem_of(client.get(url), 409, "not_of_this_sweep")

    assert "'b' cannot be compared by test/loss with 'a'" in problem["detail"]
    assert "/task/class_weights" in problem["detail"]
    assert client.get(url, params={"metric": "test/accuracy"}).status_code == 200


def test_variants_whose_jobs_are_being_deleted_are_not_compared(
    client: TestClient,
    services: Services,
    variants: Json,
    end_jobs: Any,
    problem_of: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobs.store.sweeps._NUM_MEMBERS_AT_ONCE", 2)
    end_jobs([result(0.5)] * 6)
    services.store._delete_some(variants["id"])

    problem_of(client.get(f"/v1/sweeps/{variants['id']}/comparison"), 409, "not_of_this_sweep")


def test_jobs_that_drew_their_own_splits_are_compared_as_in_their_sweep(
    client: TestClient, sweep_spec: Json, end_jobs: Any
) -> None:
    variants = [{"name": "a"}, {"name": "b", "patch": [{"op": "remove", "path": "/regularizers/0"}]}]
    sweep = submit(client, sweep_spec, axes=[], variants=variants, seeds=[0, 1, 2], vary_split=True)
    ids = end_jobs([result(loss) for loss in (0.5, 0.4, 0.51, 0.42, 0.52, 0.41)])  # seed by seed, as they are claimed

    of_sweep = client.get(f"/v1/sweeps/{sweep['id']}/comparison").json()
    of_jobs = compare(client, {"a": ids[::2], "b": ids[1::2]}).json()

    assert of_jobs["differences"] == of_sweep["differences"]
    assert of_jobs["groups"][0]["low"] == of_sweep["groups"][0]["low"]


def test_splits_drawn_anew_widen_the_interval(client: TestClient, sweep_spec: Json, end_jobs: Any) -> None:
    widths = {}
    for vary_split in (False, True):
        variants = [{"name": "a"}, {"name": "b", "patch": [{"op": "remove", "path": "/regularizers/0"}]}]
        sweep = submit(client, sweep_spec, axes=[], variants=variants, seeds=[0, 1, 2], vary_split=vary_split)
        end_jobs([result(loss) for loss in (0.5, 0.51, 0.52, 0.4, 0.42, 0.41)])
        (one,) = client.get(f"/v1/sweeps/{sweep['id']}/comparison").json()["differences"]
        widths[vary_split] = one["difference"]["high"] - one["difference"]["low"]

    assert widths[True] > widths[False]


def test_splits_drawn_anew_widen_by_the_metrics_own_rows(client: TestClient, sweep_spec: Json, end_jobs: Any) -> None:
    """Without test rows there is still a ratio of the validation rows."""
    widths = {}
    base = {**sweep_spec["base"], "data": {**sweep_spec["base"]["data"], "test_fraction": 0}}
    for vary_split in (False, True):
        variants = [{"name": "a"}, {"name": "b", "patch": [{"op": "remove", "path": "/regularizers/0"}]}]
        sweep = submit(client, sweep_spec, base=base, axes=[], variants=variants, seeds=[0, 1], vary_split=vary_split)
        end_jobs([result(loss) for loss in (0.5, 0.51, 0.4, 0.42)])
        url = f"/v1/sweeps/{sweep['id']}/comparison"
        (one,) = client.get(url, params={"metric": "validation/loss"}).json()["differences"]
        widths[vary_split] = one["difference"]["high"] - one["difference"]["low"]

    assert widths[True] > 1.2 * widths[False]


def test_official_test_rows_count_row_by_row_whatever_the_split(
    client: TestClient, sweep_spec: Json, end_jobs: Any
) -> None:
    base = {**sweep_spec["base"], "data": {"kind": "torchvision", "name": "FashionMNIST"}}
    variants = [{"name": "a"}, {"name": "b", "patch": [{"op": "remove", "path": "/regularizers/0"}]}]
    sweep = submit(client, sweep_spec, base=base, axes=[], variants=variants, seeds=[0, 1, 2], vary_split=True)
    losses = {0: 0.5, 3: 0.1, 1: 0.51, 4: 0.12, 2: 0.52, 5: 0.11}  # by the seed of the rows' noise, as they are claimed
    end_jobs([result(loss, seed=seed) for seed, loss in losses.items()])
    url = f"/v1/sweeps/{sweep['id']}/comparison"

    (of_test,) = client.get(url).json()["differences"]
    (of_gap,) = client.get(url, params={"metric": "generalization_gap"}).json()["differences"]

    assert of_test["standard_error"]["rows"] > 0
    assert of_test["verdict"] == "helps"
    # Half of its rows are the same for all seeds, and half are not: neither way of measuring their noise has all of it.
    assert of_gap["verdict"] == "no_measurable_effect"
    assert "different rows" in of_gap["note"]
