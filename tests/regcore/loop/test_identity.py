import copy
import dataclasses
import json

import pytest
import torch

from regcore.data.prepare_known import prepare
from regcore.errors import CheckpointError
from regcore.loop.identity import continue_as, data_sha256, identify
from regcore.plan import make_plan
from regcore.spec import parse_spec

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(make_job):
    return prepare(make_plan(parse_spec(make_job())).resolved_spec)


@pytest.fixture
def identity_of(make_job, data):
    """The identity of a job with changes, as it is read from a checkpoint's JSON."""

    def identity(*, rows=data, **changes):
        spec = make_plan(parse_spec(make_job(**changes))).resolved_spec
        return json.loads(json.dumps(identify({"0": spec}, rows, CPU)))

    return identity


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"name": "other"},
        {"labels": {"a": "b"}},
        {"priority": "high"},
        {"fusion": "off"},
        {"resources": {"max_runtime_s": 5, "max_memory_bytes": 10**9, "pool": "big"}},
        {"training": {"checkpoint_every_s": 0.5}},
    ],
    ids=str,
)
def test_what_changes_no_weights_may_differ(identity_of, changes):
    saved, current = identity_of(), identity_of(**changes)

    assert continue_as(saved, current) == current


L1 = {"kind": "l1", "strength": 1e-3}


@pytest.mark.parametrize(
    ("changes", "differing"),
    [
        ({"training": {"seed": 1}}, ["training.seed"]),
        ({"training": {"epochs": 3, "batch_size": 16}}, ["training.batch_size", "training.epochs"]),
        ({"training": {"precision": "float64"}}, ["training.precision"]),
        ({"optimizer": {"learning_rate": 0.5}}, ["optimizer.learning_rate"]),
        ({"optimizer": {"schedule": {"kind": "constant", "warmup_epochs": 1}}}, ["optimizer.schedule.warmup_epochs"]),
        ({"model": {"hidden": [9]}}, ["model.hidden"]),
        ({"data": {"split_seed": 1}}, ["data.split_seed"]),
        ({"task": {"class_weights": "balanced"}}, ["task.class_weights"]),
        ({"regularizers": []}, ["regularizers"]),
        ({"regularizers": [L1 | {"strength": 2e-3}]}, ["regularizers"]),
    ],
    ids=str,
)
def test_what_decides_the_weights_may_not_differ(identity_of, changes, differing):
    saved, current = identity_of(regularizers=[L1]), identity_of(**({"regularizers": [L1]} | changes))

    with pytest.raises(CheckpointError) as caught:
        continue_as(saved, current)

    assert caught.value.details == {"differing": differing}
    assert f"another spec: {', '.join(differing)} differ" in str(caught.value)
    assert "empty directory" in caught.value.remedy


def test_another_kind_of_optimizer_is_named_with_what_it_brings(identity_of):
    saved, current = identity_of(), identity_of(optimizer={"kind": "adam", "learning_rate": 0.01})

    with pytest.raises(CheckpointError, match=r"optimizer\.beta1, .*optimizer\.kind, optimizer\.momentum"):
        continue_as(saved, current)


def test_other_data_are_refused(identity_of, data):
    saved = identity_of()
    current = identity_of(rows=dataclasses.replace(data, test=None))

    with pytest.raises(CheckpointError, match="data set is not the one"):
        continue_as(saved, current)


@pytest.mark.parametrize("name", ["torch", "machine", "device", "cpu_capability", "num_threads"])
def test_another_environment_is_no_longer_exact(identity_of, name):
    saved = identity_of()
    saved["environment"][name] = "other"

    continued = continue_as(saved, identity_of())

    assert continued["is_exact"] is False


def test_a_run_that_was_not_exact_once_stays_so(identity_of):
    elsewhere = identity_of()
    elsewhere["environment"]["torch"] = "1.0"
    continued = continue_as(elsewhere, identity_of())

    again = continue_as(continued, identity_of())

    assert again["is_exact"] is False


def test_the_environment_is_that_of_the_process(identity_of):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        environment = identity_of()["environment"]
    finally:
        torch.set_num_threads(before)

    assert environment["num_threads"] == 3
    assert environment["torch"] == torch.__version__
    assert environment["device"] == "cpu"


def test_the_environment_from_then_on_is_this_processs(identity_of):
    elsewhere = identity_of()
    elsewhere["environment"]["torch"] = "1.0"

    continued = continue_as(elsewhere, identity_of())

    assert continued["environment"] == identity_of()["environment"]


def changed(data, split, part, edit):
    rows = getattr(data, split)
    new = edit(getattr(rows, part).clone())
    return dataclasses.replace(data, **{split: dataclasses.replace(rows, **{part: new})})


def other_last_row(tensor):
    tensor[-1] += 1
    return tensor


EDITS = {
    "another last row": other_last_row,
    "rows in another order": lambda tensor: tensor.flip(0),
    "a row less": lambda tensor: tensor[:-1],
    "the same bytes of another type": lambda tensor: tensor.view(
        torch.int32 if tensor.dtype == torch.float32 else torch.float64
    ),
    "the same numbers of another type": lambda tensor: tensor.to(torch.float64),
    "the same bytes in another shape": lambda tensor: tensor.unsqueeze(-1),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("part", ["x", "y"])
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_any_change_of_the_rows_changes_their_digest(data, split, part, edit):
    assert data_sha256(changed(data, split, part, edit)) != data_sha256(data)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_split_less_changes_the_digest(data, split):
    assert data_sha256(dataclasses.replace(data, **{split: None})) != data_sha256(data)


def test_the_same_rows_have_the_same_digest_however_they_lie_in_memory(data):
    apart = changed(data, "train", "x", lambda tensor: tensor.transpose(0, -1).contiguous().transpose(0, -1))

    assert not apart.train.x.is_contiguous()
    assert data_sha256(apart) == data_sha256(data)


def test_a_field_that_this_version_has_more_is_no_other_spec(make_job):
    spec = make_plan(parse_spec(make_job())).resolved_spec
    current = identify({"0": spec}, prepare(spec), torch.device("cpu"))
    older = copy.deepcopy(current)
    del older["specs"]["0"]["training"]["precision"]

    assert continue_as(older, current)["is_exact"]


@pytest.mark.parametrize("field", ["standardize", "standardize_target"])
def test_a_field_whose_default_follows_from_the_data_is_no_other_spec_either(make_job, field):
    spec = make_plan(parse_spec(make_job())).resolved_spec
    current = identify({"0": spec}, prepare(spec), torch.device("cpu"))
    older = copy.deepcopy(current)
    del older["specs"]["0"]["data"][field]

    assert continue_as(older, current)["is_exact"]


@pytest.mark.parametrize(("is_scaled", "goes_on"), [(False, True), (True, False)])
def test_a_run_from_before_targets_were_scaled_has_them_as_they_are(make_job, is_scaled, goes_on):
    data = {"kind": "builtin", "name": "diabetes", "standardize_target": is_scaled}
    spec = make_plan(parse_spec(make_job(data=data))).resolved_spec
    current = identify({"0": spec}, prepare(spec), torch.device("cpu"))
    older = copy.deepcopy(current)
    del older["specs"]["0"]["data"]["standardize_target"]

    if goes_on:
        assert continue_as(older, current)["is_exact"]
    else:
        with pytest.raises(CheckpointError, match=r"data\.standardize_target differ"):
            continue_as(older, current)


def test_a_run_with_scaled_targets_does_not_go_on_without(make_job):
    specs = [
        make_plan(parse_spec(make_job(data={"kind": "builtin", "name": "diabetes", "standardize_target": scaled})))
        for scaled in (True, False)
    ]
    saved, current = (
        identify({"0": plan.resolved_spec}, prepare(plan.resolved_spec), torch.device("cpu")) for plan in specs
    )

    with pytest.raises(CheckpointError, match=r"data\.standardize_target differ"):
        continue_as(saved, current)


def test_a_compiled_run_that_is_resumed_is_not_exact(make_job):
    spec = make_plan(parse_spec(make_job(training={"compile": True}))).resolved_spec
    current = identify({"0": spec}, prepare(spec), torch.device("cpu"))

    assert not continue_as(current, current)["is_exact"]
