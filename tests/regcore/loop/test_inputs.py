import json

import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits

from regcore import make_plan, train
from regcore.data.source import KnownSource
from regcore.errors import InvalidDataError, SpecError
from regcore.loop.inputs import load_inputs, weights_file
from regcore.loop.network import StackedNetwork
from regcore.loop.newcomer import Newcomer
from regcore.predict import load_predictor

A_JOB = "job_" + "0" * 26
NAME = "knowledge_distillation.teacher"
CANCER = {"kind": "builtin", "name": "breast-cancer"}
DIGITS = {"kind": "builtin", "name": "digits"}


@pytest.fixture
def load(make_job, tmp_path):
    """Trains a teacher on the one data, and loads it for a student on the other; gives it, and the student's rows."""

    def load(theirs, ours, change=lambda folder: None):
        train(make_job(data=theirs)).save(tmp_path)
        change(tmp_path)
        taught = {"kind": "knowledge_distillation", "teacher": {"job_id": A_JOB}}
        plan = make_plan(make_job(data=ours, regularizers=[taught], training={"precision": "float64"}))
        data = KnownSource().prepare(plan.resolved_spec)
        network = StackedNetwork([plan], dtype=torch.float64, device=torch.device("cpu"), autocast=False)
        (given,) = load_inputs([Newcomer("0", plan, inputs={NAME: weights_file(tmp_path)})], data, network)
        return given["knowledge_distillation"]["teacher"], data.train

    return load


@pytest.mark.parametrize(
    ("theirs", "ours", "raw"),
    [
        ({**CANCER, "split_seed": 1}, CANCER, load_breast_cancer().data),
        ({**CANCER, "standardize": False}, CANCER, load_breast_cancer().data),
        ({**DIGITS, "standardize": True}, DIGITS, load_digits().images),
        (DIGITS, DIGITS, load_digits().images),
    ],
)
def test_a_teacher_says_of_a_row_what_it_says_of_the_raw_row_however_this_run_scales_it(
    load, tmp_path, theirs, ours, raw
):
    teacher, train_rows = load(theirs, ours)

    said = teacher(train_rows.x).softmax(-1)

    expected = load_predictor(tmp_path).predict_proba(raw[train_rows.rows])
    torch.testing.assert_close(said, torch.from_numpy(expected), rtol=1e-4, atol=1e-5)
    assert not said.requires_grad


def with_classes(folder):
    described = json.loads((folder / "model.json").read_text())
    described["outputs"]["classes"] = ["good", "bad"]
    (folder / "model.json").write_text(json.dumps(described))


@pytest.mark.parametrize(
    ("theirs", "ours", "change", "said"),
    [
        (DIGITS, CANCER, lambda folder: None, "other columns, another shape, or another vocabulary"),
        (CANCER, CANCER, with_classes, "another task or other classes"),
        (CANCER, CANCER, lambda folder: (folder / "model.json").unlink(), "Cannot load a model from"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(load, theirs, ours, change, said):
    with pytest.raises(InvalidDataError, match=said):
        load({**theirs, "train_limit": 100}, {**ours, "train_limit": 100}, change)


def test_a_model_that_is_gone_is_told(make_job, tmp_path):
    taught = {"kind": "knowledge_distillation", "teacher": {"job_id": A_JOB}}
    newcomer = Newcomer("0", make_plan(make_job(regularizers=[taught])))

    with pytest.raises(InvalidDataError, match="is no longer there"):
        load_inputs([newcomer], None, None)


def test_without_a_server_the_models_are_given_by_their_names(make_job, tmp_path):
    job = make_job(regularizers=[{"kind": "knowledge_distillation", "teacher": {"job_id": A_JOB}}])

    with pytest.raises(SpecError, match=r'call train\(spec, inputs=\{"knowledge_distillation\.teacher": folder\}\)'):
        train(job)
    with pytest.raises(InvalidDataError, match=f"inputs has teacher; .* are {NAME}"):
        train(job, inputs={NAME: tmp_path, "teacher": tmp_path})


def test_members_with_the_same_file_share_one_module(make_job, tmp_path):
    train(make_job()).save(tmp_path)
    taught = {"kind": "knowledge_distillation", "teacher": {"job_id": A_JOB}}
    plans = [make_plan(make_job(regularizers=[taught], training={"seed": seed})) for seed in range(2)]
    network = StackedNetwork(plans, dtype=torch.float32, device=torch.device("cpu"), autocast=False)
    data = KnownSource().prepare(plans[0].resolved_spec)
    newcomers = [Newcomer(str(k), plan, inputs={NAME: weights_file(tmp_path)}) for k, plan in enumerate(plans)]

    one, other = load_inputs(newcomers, data, network)

    assert one["knowledge_distillation"]["teacher"] is other["knowledge_distillation"]["teacher"]
