import re

import pytest
import torch
from effects import bind_effect

from regcore import make_plan, train
from regcore.at import At
from regcore.errors import SpecError
from regcore.layers import Conv1d, TransposedConv2d
from regcore.optim import SGD, Adam
from regcore.regularizers.group_lasso import GroupLasso
from regcore.shapes import RowInfo

TARGET = torch.tensor([[[2.0, -1.5, 0.3], [0.2, 0.1, -0.1], [0.5, 0.4, -1.0]]], dtype=torch.float64)
AXIS = {"output": 2, "input": 1}
COSINE = {"kind": "cosine"}


def towards_target(name, weight):
    """The gradient of ½‖w − target‖²."""
    return weight - TARGET


def block_threshold(target, strength, axis):
    """The minimum of ½‖w − target‖² + strength · Σ √d‖w_g‖, in closed form."""
    norms = target.square().sum(axis, keepdim=True).sqrt()
    threshold = strength * target.shape[axis] ** 0.5
    return torch.where(norms > threshold, target - threshold * target / norms, 0.0)


@pytest.mark.parametrize("groups", AXIS)
@pytest.mark.parametrize("strength", [0.05, 0.4, 3.0])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_descent_ends_at_the_block_soft_threshold_with_its_exact_zeros(descend, groups, strength, momentum):
    regularizer, optimizer = GroupLasso(strength=strength, groups=groups), SGD(learning_rate=0.05, momentum=momentum)

    weights = descend([regularizer], [optimizer], towards_target, {"head.weight": torch.ones_like(TARGET)}, 800)

    expected = block_threshold(TARGET, strength, AXIS[groups])
    torch.testing.assert_close(weights["head.weight"], expected, rtol=1e-9, atol=1e-9)
    assert torch.equal(weights["head.weight"] == 0, expected == 0)


@pytest.mark.parametrize("groups", AXIS)
def test_under_adam_it_ends_at_the_same_minimum(descend, groups):
    regularizer = GroupLasso(strength=0.4, groups=groups)
    optimizer = Adam(learning_rate=0.05, beta1=0.5, beta2=0.9, eps=1e-3, schedule=COSINE)

    weights = descend([regularizer], [optimizer], towards_target, {"head.weight": torch.ones_like(TARGET)}, 1200)

    expected = block_threshold(TARGET, 0.4, AXIS[groups])
    torch.testing.assert_close(weights["head.weight"], expected, rtol=0, atol=2e-3)
    assert torch.equal(weights["head.weight"].norm(dim=AXIS[groups]) == 0, expected.norm(dim=AXIS[groups]) == 0)


@pytest.mark.parametrize("groups", ["output", "input"])
@pytest.mark.parametrize(
    ("optimizer", "epochs", "tolerance"),
    [
        ({"kind": "sgd", "learning_rate": 0.2}, 500, 1e-6),
        ({"kind": "adam", "learning_rate": 0.03, "eps": 1e-2, "schedule": COSINE}, 1000, 1e-3),
    ],
    ids=["sgd", "adam"],
)
def test_a_linear_classifier_satisfies_the_conditions_of_the_minimum(groups, optimizer, epochs, tolerance):
    """Yuan & Lin 2006: a zero group has ‖gradient‖ ≤ λ√d, every other gradient = −λ√d · w/‖w‖."""
    strength, axis = 0.05, {"output": 1, "input": 0}[groups]
    result = train(
        {
            "data": {"kind": "builtin", "name": "wine"},
            "model": {"kind": "linear"},
            "optimizer": optimizer,
            "regularizers": [{"kind": "group_lasso", "strength": strength, "groups": groups}],
            "training": {"epochs": epochs, "batch_size": "full", "precision": "float64", "eval_every_epochs": epochs},
            "resources": {"device": "cpu"},
        }
    )
    weight = result.model.state_dict()["head.weight"].clone().requires_grad_()
    logits = result.data.train.x @ weight.T + result.model.state_dict()["head.bias"]
    (gradient,) = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, result.data.train.y), weight)

    norms = weight.detach().norm(dim=axis, keepdim=True)
    limit = strength * weight.shape[axis] ** 0.5
    alive = norms.flatten() > 0
    wanted = -limit * weight.detach() / norms
    error = (gradient - wanted).norm(dim=axis)[alive].max()

    assert error < tolerance
    assert (gradient.norm(dim=axis)[~alive] <= limit).all()
    if groups == "input":
        assert 0 < int(alive.sum()) < len(alive)
        assert re.search(rf"{int((~alive).sum())} of 13 in head.weight", result.report["regularizers"][0]["note"])


def test_its_penalty_is_strength_times_the_norms_each_by_the_root_of_its_size():
    weights = {"head.weight": torch.tensor([[[3.0, 4.0], [0.0, 1.0]], [[6.0, 8.0], [0.0, 0.0]]])}
    effect = bind_effect([GroupLasso(strength=2.0), GroupLasso(strength=0.5)], weights)

    penalty = effect.penalty(weights, At(0, 1, 1))

    assert penalty.tolist() == pytest.approx([2 * 2**0.5 * 6, 0.5 * 2**0.5 * 10])


def test_whole_units_become_zero_and_the_report_says_how_many_and_what_they_still_give(make_job):
    job = make_job(
        regularizers=[{"kind": "group_lasso", "strength": 0.05, "select": {"include": ["linear1.weight"]}}],
        optimizer={"kind": "sgd", "learning_rate": 0.1},
        training={"epochs": 5},
    )

    result = train(job)

    norms = result.model.state_dict()["linear1.weight"].norm(dim=1)
    num_zero = int((norms == 0).sum())
    assert 0 < num_zero <= 8
    assert result.report["regularizers"][0]["note"].endswith(
        f"Groups that are zero: {num_zero} of 8 in linear1.weight. Such a unit still gives φ(bias), which is the same "
        "for every row."
    )
    last = result.history[-1]["values"]
    assert last["objective/penalty.group_lasso"] == pytest.approx(0.05 * 8 * float(norms.sum()), rel=1e-5)


CONVOLUTION = {"kind": "layers", "layers": [{"kind": "conv2d", "channels": 3, "kernel_size": 3}, {"kind": "linear"}]}


def test_filters_are_the_units_of_convolutions_alone(make_job):
    job = make_job(
        model=CONVOLUTION,
        optimizer={"kind": "sgd", "learning_rate": 0.1},
        regularizers=[{"kind": "group_lasso", "strength": 1.0, "groups": "filter"}],
        training={"precision": "float64"},
    )

    result = train(job)

    assert result.plan.regularizers[0].parameters == ["conv2d1.weight"]
    assert not result.model.state_dict()["conv2d1.weight"].any()
    assert result.model.state_dict()["head.weight"].any()


@pytest.mark.parametrize(
    ("regularizer", "message"),
    [
        ({"groups": "filter"}, "acts on convolutions, and the model has none"),
        ({"groups": "input", "select": {"include": ["head.*"]}}, "received head.bias, which have none"),
    ],
)
def test_groups_that_the_model_does_not_have_are_refused(make_job, regularizer, message):
    with pytest.raises(SpecError, match=message):
        make_plan(make_job(regularizers=[{"kind": "group_lasso", "strength": 1.0} | regularizer]))


@pytest.mark.parametrize(("layer", "groups"), [(Conv1d(channels=4), (4, 3)), (TransposedConv2d(channels=4), (4, 3))])
def test_outputs_and_inputs_are_told_apart_by_the_axes_of_a_kernel(layer, groups):
    seen = RowInfo((5, 3) if layer.kind == "conv1d" else (3, 5, 5))
    weight, _ = layer.tensors(seen)
    zeros = {"weight": torch.zeros(weight.shape)}

    remarks = [GroupLasso(strength=1.0, groups=along).remark([weight], zeros) for along in ("output", "input")]

    assert [re.search(r"(\d+) of (\d+) in", remark).group(2) for remark in remarks] == [str(each) for each in groups]
