import itertools

import pytest
import torch
from effects import bind_effect
from torch import nn
from torch.nn import functional

from regcore import make_plan, train
from regcore.at import At
from regcore.data.rows import Batch
from regcore.errors import SpecError, TrainingStopped
from regcore.passes import Pass
from regcore.regularizers.knowledge_distillation import KnowledgeDistillation, softened_divergence
from regcore.tasks import Classification

A_JOB = "job_" + "0" * 26
TEACHER = {"model": {"kind": "linear"}, "training": {"epochs": 1}}
HERE = At(3, 10, 100, (1, 2))


def logits(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def distilled(members, x, said):
    """The pass of these members, whose network says the same as of rows that it never looks at."""
    teacher = nn.Linear(3, said.shape[-1], dtype=torch.float64)
    members = [KnowledgeDistillation(teacher={"job_id": A_JOB}, **numbers) for numbers in members]
    task = Classification("cross_entropy", 4)
    weights = {"head.weight": torch.zeros(len(members), 1, 1)}
    effect = bind_effect(members, weights, task, [{"teacher": teacher.requires_grad_(False)}] * len(members))
    losses = torch.full(said.shape[:2], 3.0, dtype=torch.float64)
    batch = Batch(x, torch.zeros(said.shape[:2], dtype=torch.int64))
    return effect.loss(lambda batch, at: Pass(said, losses), batch, HERE), teacher


def test_its_objective_is_the_papers_mean_by_torchs_divergence():
    members = [{"temperature": 2.0, "alpha": 0.25}, {"temperature": 5.0, "alpha": 1.0}]
    x, said = logits(0, 2, 6, 3), logits(1, 2, 6, 4)

    found, teacher = distilled(members, x, said)

    for k, member in enumerate(members):
        hot, share = member["temperature"], member["alpha"]
        soft = functional.softmax(teacher(x[k]) / hot, dim=1)
        expected = share * hot**2 * nn.KLDivLoss(reduction="none")(torch.log_softmax(said[k] / hot, 1), soft).sum(1)
        torch.testing.assert_close(found.terms["knowledge_distillation"][k], expected)
        torch.testing.assert_close(found.losses[k], torch.full((6,), 3.0 * (1 - share), dtype=torch.float64))


def test_members_that_see_the_same_rows_ask_the_teacher_once():
    x, said = logits(0, 1, 6, 3), logits(1, 2, 6, 4)

    shared, _ = distilled([{}, {}], x, said)

    assert shared.terms["knowledge_distillation"].shape == (2, 6)


def test_at_high_temperatures_the_gradient_is_that_of_matching_centred_logits():
    """Hinton et al., eq. 4, times T²: (z − t)/C for logits of mean 0."""
    teacher, student = (logits(seed, 1, 5, 4) for seed in range(2))
    teacher, student = (each - each.mean(-1, keepdim=True) for each in (teacher, student))
    student.requires_grad_()
    hot = 1e3

    (hot**2 * softened_divergence(teacher, student, hot)).sum().backward()

    torch.testing.assert_close(student.grad, (student.detach() - teacher) / 4, rtol=1e-2, atol=1e-3)


def test_a_single_logit_is_as_two_of_which_the_first_is_0():
    one, other = logits(0, 1, 5, 1), logits(1, 1, 5, 1)
    pair, other_pair = (torch.cat([torch.zeros_like(each), each], -1) for each in (one, other))

    torch.testing.assert_close(softened_divergence(one, other, 2.0), softened_divergence(pair, other_pair, 2.0))
    torch.testing.assert_close(softened_divergence(pair, other, 2.0), softened_divergence(pair, other_pair, 2.0))


def test_who_is_the_own_teacher_has_nothing_to_learn(make_job, tmp_path):
    job = make_job(training={"precision": "float64"}, optimizer={"learning_rate": 0.1})
    train(job).save(tmp_path)
    itself = {"kind": "knowledge_distillation", "teacher": {"job_id": A_JOB}, "alpha": 1.0}
    job |= {"regularizers": [itself], "init_from": {"job_id": A_JOB}}

    result = train(job, starting_weights=tmp_path, inputs={"knowledge_distillation.teacher": tmp_path})

    for row in result.history:
        assert abs(row["values"]["objective/penalty.knowledge_distillation"]) < 1e-12
        assert row["values"]["objective/data"] == 0
    before = train(make_job(training={"precision": "float64"}, optimizer={"learning_rate": 0.1})).model.state_dict()
    torch.testing.assert_close(result.model.state_dict(), before, rtol=1e-10, atol=1e-10)


def test_a_student_of_a_finished_job_goes_on_with_the_same_bits(make_job, tmp_path):
    train(make_job(model={"kind": "linear"})).save(tmp_path / "teacher")
    job = make_job(regularizers=[{"kind": "knowledge_distillation", "teacher": {"job_id": A_JOB}}])
    given = {"knowledge_distillation.teacher": tmp_path / "teacher"}
    calls = itertools.count()
    with pytest.raises(TrainingStopped):
        train(job, inputs=given, resume_from=tmp_path / "saved", should_stop=lambda: next(calls) == 5)

    resumed = train(job, inputs=given, resume_from=tmp_path / "saved")

    assert resumed.is_exact
    assert resumed.weights_sha256 == train(job, inputs=given).weights_sha256


def test_a_regression_has_no_classes_to_compare(make_job):
    with pytest.raises(SpecError, match="compares the probabilities of classes, and this task is regression"):
        make_plan(
            make_job(
                data={"kind": "builtin", "name": "diabetes"},
                regularizers=[{"kind": "knowledge_distillation", "teacher": {"job_id": A_JOB}}],
            )
        )


def test_mixed_rows_are_doubted_before_a_teacher(make_job):
    regularizers = [{"kind": "mixup", "alpha": 0.2}, {"kind": "knowledge_distillation", "teacher": TEACHER}]

    codes = [warning.code for warning in make_plan(make_job(regularizers=regularizers)).warnings]

    assert "mixup_with_distillation" in codes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"classes": ["cat", "dog"]}, "in its classes."),
        ({"input_shape": [3, 8, 8], "task": "regression"}, "in its task and its input shape."),
    ],
)
def test_by_their_plans_a_teacher_must_take_the_same_rows_and_tell_the_same_classes(changes, said):
    ours = {"task": "classification", "classes": ["0", "1"], "input_shape": [1, 8, 8]}

    problem = KnowledgeDistillation(teacher={"job_id": A_JOB}).input_problem("teacher", ours | changes, ours)

    assert problem is None if said is None else said in problem


@pytest.mark.parametrize(
    ("teacher", "pointer", "said"),
    [
        ("linear", "", "must be a JSON object"),
        ({}, "/model", "is required"),
        ({"job_id": "job_1"}, "/job_id", "pattern"),
        ({"job_id": A_JOB, "model": {"kind": "linear"}}, "/model", "is not a field here"),
        ({"model": {"kind": "mlp", "hidden": [0]}}, "/model/hidden/0", "at least 1"),
        (
            TEACHER | {"regularizers": [{"kind": "knowledge_distillation", "teacher": TEACHER}]},
            "/regularizers",
            "has no teacher of its own",
        ),
    ],
)
def test_a_teacher_is_a_finished_job_or_a_spec(make_job, teacher, pointer, said):
    with pytest.raises(SpecError) as caught:
        make_plan(make_job(regularizers=[{"kind": "knowledge_distillation", "teacher": teacher}]))

    (error,) = caught.value.errors
    assert error.pointer == f"/regularizers/0/teacher{pointer}"
    assert said in error.message
