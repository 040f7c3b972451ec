"""What holds for every regularizer, whatever it does."""

import ast
import importlib
import itertools
import math
from functools import partial
from pathlib import Path

import pytest
import torch

from regcore import make_plan, train
from regcore.errors import TrainingStopped
from regcore.loop.group import Newcomer, train_group
from regcore.regularizers import Regularizer
from regcore.spec.kinds import REGULARIZERS
from regcore.tasks import Classification
from regcore.trees import select

ALONE = [
    kind
    for kind, one in REGULARIZERS.items()
    if not one.model_validate(one.example).inputs() and one.example_data == Regularizer.example_data
]
"""The kinds that need neither another job's weights nor texts or sounds: those have tests of their own."""
EVERYWHERE = {
    "kind": "layers",
    "layers": [
        {"kind": "linear", "features": 8, "bias": False},
        {"kind": "batch_norm"},
        {"kind": "activation", "name": "tanh"},
        {"kind": "residual", "layers": [{"kind": "linear", "features": 8}, {"kind": "activation", "name": "tanh"}]},
        {"kind": "dropout", "p": 0.2},
        {"kind": "linear"},
    ],
}
"""A model on which every regularizer finds something to act on."""


def varied(kind, k):
    """The example of a kind with other numbers for each member, where members may differ in them."""
    regularizer = REGULARIZERS[kind]
    numbers = {
        name: value / (1 + k)
        for name, value in regularizer.example.items()
        if isinstance(value, float) and name in (regularizer.member_fields or ())
    }
    return regularizer.example | numbers


def job_of(make_job, kinds, k=0, *, model=None, **changes):
    return make_job(
        model=model or (REGULARIZERS[kinds[0]].example_model if len(kinds) == 1 else EVERYWHERE),
        regularizers=[varied(kind, k) for kind in kinds],
        training={"epochs": 2, "batch_size": 20, "seed": 5 + k, "precision": "float64"},
        **changes,
    )


def leaves(tree, path=""):
    for name, node in tree.items():
        if isinstance(node, dict):
            yield from leaves(node, f"{path}{name}/")
        else:
            yield f"{path}{name}", node


def copied(tensors):
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


@pytest.mark.parametrize("kind", REGULARIZERS)
def test_it_can_be_imported_without_torch(kind):
    module = importlib.import_module(REGULARIZERS[kind].__module__)

    at_once = [node for node in ast.parse(Path(module.__file__).read_text()).body if not isinstance(node, ast.If)]

    imported = [
        name
        for node in at_once
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None), *(alias.name for alias in node.names)]
    ]
    assert not any(name and name.split(".")[0] in ("torch", "torchvision") for name in imported)


@pytest.mark.parametrize("kind", ALONE)
def test_its_example_trains_and_its_module_says_what_the_run_says(make_job, kind):
    result = train(job_of(make_job, [kind]))

    last = result.history[-1]["values"]
    penalties = [name for name in last if name.startswith("objective/penalty.")]
    assert penalties == ([f"objective/penalty.{kind}"] if REGULARIZERS[kind].adds_to_objective else [])
    assert math.isfinite(last["objective/total"])
    test = result.data.test
    losses = Classification("cross_entropy", 10).row_losses(result.model(test.x).unsqueeze(0), test.y.unsqueeze(0))
    assert result.metrics["test/loss"] == pytest.approx(float(losses.detach().mean()), rel=1e-10)


@pytest.mark.parametrize("kind", ALONE)
def test_what_goes_on_from_the_middle_of_an_epoch_has_the_same_bits(make_job, tmp_path, kind):
    job = job_of(make_job, [kind])
    calls = itertools.count()
    with pytest.raises(TrainingStopped):
        train(job, resume_from=tmp_path, should_stop=lambda: next(calls) == 7)

    resumed = train(job, resume_from=tmp_path)

    assert resumed.is_exact
    assert resumed.weights_sha256 == train(job).weights_sha256


@pytest.mark.parametrize("kind", ALONE)
def test_hooks_that_are_called_several_times_in_a_step_are_pure(make_job, make_trainer, kind):
    stack = make_trainer(*(job_of(make_job, [kind], k) for k in range(2))).stack
    for position in range(3):
        stack.advance(stack.rows(0, position))
    rows, at, step = stack.rows(0, 3), stack._at(3), stack._step
    learned, tensors = stack.network.learned(), stack.network.tensors
    batch = stack.task.targets(stack.data.train.fetch(rows))
    before, x, y = copied(dict(leaves(stack.tree))), batch.x.clone(), batch.y.clone()

    for effect in stack._effects.values():
        mixed = [effect.on_batch(batch, at) for _ in range(2)]
        assert_same({"x": mixed[0].x, "y": mixed[0].y}, {"x": mixed[1].x, "y": mixed[1].y})
        assert_same(*(copied(effect.weights(tensors, at)) for _ in range(2)))
        passes = [effect.loss(partial(step.compute, tensors), batch, at) for _ in range(2)]
        assert_same(*({"data": one.losses, **one.terms, **one.buffers} for one in passes))
        slopes = [effect.gradients(partial(step._slope, rows, learned), learned, at) for _ in range(2)]
        assert_same(*({**one.gradients, **one.buffers} for one in slopes))

    assert_same(copied(dict(leaves(stack.tree))), before)
    assert_same({"x": batch.x, "y": batch.y}, {"x": x, "y": y})


@pytest.mark.parametrize("kind", ALONE)
def test_everything_that_it_remembers_has_a_leading_member_axis(make_job, make_trainer, kind):
    stack = make_trainer(*(job_of(make_job, [kind], k) for k in range(3))).stack
    stack.advance(stack.rows(0, 0))

    assert {name for name, tensor in leaves(stack.tree) if tensor.shape[:1] != (3,)} == set()


def all_at_once(make_job, optimizer):
    """Three jobs with every regularizer that can train with others."""
    kinds = [kind for kind in ALONE if REGULARIZERS[kind].member_fields is not None]
    assert len(kinds) >= 12
    return [job_of(make_job, kinds, k, model=EVERYWHERE, optimizer=optimizer) for k in range(3)]


OPTIMIZERS = [
    {"kind": "sgd", "learning_rate": 0.05},
    {"kind": "adam", "learning_rate": 0.01, "eps": 1e-4},
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["sgd", "adam"])
def test_with_all_others_at_once_a_member_ends_as_its_solo_run_does(make_job, optimizer):
    jobs = all_at_once(make_job, optimizer)

    together = dict(train_group([Newcomer(str(k), make_plan(job)) for k, job in enumerate(jobs)]))

    for k, job in enumerate(jobs):
        ours, solo = together[str(k)], train(job)
        torch.testing.assert_close(ours.model.state_dict(), solo.model.state_dict(), rtol=1e-8, atol=1e-8)
        assert ours.selected_epoch == solo.selected_epoch
        for measured, expected in zip(ours.history, solo.history, strict=True):
            assert measured["values"] == pytest.approx(expected["values"], rel=1e-8, abs=1e-8)


def test_with_all_others_at_once_what_goes_on_has_the_same_bits(make_job, tmp_path):
    job = all_at_once(make_job, OPTIMIZERS[1])[0]
    calls = itertools.count()
    with pytest.raises(TrainingStopped):
        train(job, resume_from=tmp_path, should_stop=lambda: next(calls) == 8)

    assert train(job, resume_from=tmp_path).weights_sha256 == train(job).weights_sha256


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["sgd", "adam"])
def test_with_all_others_at_once_a_member_that_leaves_changes_nothing_for_the_others(make_job, make_trainer, optimizer):
    whole = make_trainer(*all_at_once(make_job, optimizer)).stack
    for position in range(2):
        whole.advance(whole.rows(0, position))
    part = whole.select([0, 2])

    for stack in (whole, part):
        for position in range(2, 5):
            stack.advance(stack.rows(0, position))

    rest = dict(leaves(select(whole.tree, [0, 2])))
    for name, tensor in leaves(part.tree):
        torch.testing.assert_close(tensor.detach(), rest[name].detach(), rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.parametrize("kind", ALONE)
def test_a_penalty_on_weights_whose_scale_a_norm_removes_is_doubted(make_job, kind):
    regularizer = REGULARIZERS[kind]
    shrinks = bool(regularizer.decays or regularizer.thresholds)

    warnings = make_plan(job_of(make_job, [kind], model=EVERYWHERE)).warnings

    found = [warning for warning in warnings if warning.code == "penalty_before_norm"]
    assert len(found) == (1 if shrinks else 0)
    assert all("scale of linear1.weight out" in warning.message for warning in found)


@pytest.mark.parametrize("kind", ALONE)
def test_what_it_remembers_of_a_member_is_counted_by_the_plan(make_job, make_trainer, kind):
    """A few numbers, as of early stopping, do not count."""
    few = 8

    stack = make_trainer(job_of(make_job, [kind])).stack

    added = [tensor for name, tensor in stack.network.tensors.items() if name not in stack.network.infos]
    held = sum(tensor.numel() for _, tensor in leaves(stack.tree["effects"])) + sum(map(torch.numel, added))
    (regularizer,) = stack._lead.resolved_spec.regularizers
    assert held <= regularizer.num_extra(stack._lead.tensors()) + few
