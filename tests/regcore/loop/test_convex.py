import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from regcore import make_plan, parse_spec, train
from regcore.loop.convex import is_convex
from regcore.loop.group import Newcomer, train_group

L1 = {"kind": "l1", "strength": 0.5}
DIABETES = {"kind": "builtin", "name": "diabetes"}
CANCER = {"kind": "builtin", "name": "breast-cancer"}
WINE = {"kind": "builtin", "name": "wine"}
LINEAR = {"kind": "linear"}
EVERYTHING = {"include": ["*"]}


@pytest.fixture
def make_convex_job(make_job):
    def make(**changes):
        base = {"data": DIABETES, "model": LINEAR, "training": {"epochs": 3, "precision": "float64"}}
        return make_job(**base | {"optimizer": {"learning_rate": 1e-4}} | changes)

    return make


def plan_of(job):
    return make_plan(parse_spec(job))


@pytest.mark.parametrize(
    ("changes", "convex"),
    [
        ({}, True),
        ({"regularizers": [L1, {"kind": "l2", "strength": 1.0}, {"kind": "elastic_net", "l1": 1.0, "l2": 0.1}]}, True),
        ({"task": {"loss": "huber"}}, True),
        ({"data": WINE}, True),
        ({"model": {"kind": "layers", "layers": [{"kind": "flatten"}, {"kind": "linear"}]}}, True),
        ({"optimizer": {"kind": "adamw", "learning_rate": 0.01}}, True),
        ({"optimizer": {"kind": "adamw", "learning_rate": 0.01, "weight_decay": 0.1}}, False),
        ({"model": {"kind": "mlp", "hidden": [4]}}, False),
        ({"model": {"kind": "layers", "layers": [{"kind": "linear", "features": 3}, {"kind": "linear"}]}}, False),
        ({"regularizers": [{"kind": "dropout", "p": 0.1, "where": "input"}]}, False),
        ({"regularizers": [{"kind": "weight_decay", "strength": 0.1}]}, False),
        ({"regularizers": [{"kind": "early_stopping"}]}, False),
        ({"regularizers": [L1 | {"schedule": {"kind": "cosine"}}]}, False),
        ({"regularizers": [L1 | {"schedule": {"kind": "constant", "warmup_epochs": 1}}]}, False),
    ],
    ids=str,
)
def test_what_is_convex_and_stays_so(make_convex_job, changes, convex):
    job = make_convex_job(**changes)

    result = train(job)

    assert is_convex(plan_of(job)) is convex
    assert (result.kkt_residual is not None) is convex


def gradient_by_differences(objective, at):
    """Central differences: nothing of the code's own derivatives."""
    steps = np.eye(at.size) * 1e-6
    return np.array([(objective(at + step) - objective(at - step)) / 2e-6 for step in steps])


def flat(result):
    return np.concatenate([p.detach().double().numpy().ravel() for p in result.model.parameters()])


def smooth_objective(job, result, l2, l2_of_bias):
    """Mean loss and ℓ₂ penalty, as a function of all weights and then all biases."""
    x, y = result.data.train.x.numpy().reshape(len(result.data.train), -1), result.data.train.y.numpy()
    outputs = result.plan.num_outputs

    def objective(parameters):
        weight, bias = parameters[: outputs * x.shape[1]].reshape(outputs, -1), parameters[outputs * x.shape[1] :]
        predicted = x @ weight.T + bias
        if outputs == 1:
            loss = np.mean((predicted[:, 0] - y) ** 2)
        else:
            loss = np.mean(np.log(np.exp(predicted).sum(1)) - predicted[np.arange(len(y)), y])
        return loss + l2 / 2 * (weight**2).sum() + l2_of_bias / 2 * (bias**2).sum()

    return objective


@pytest.mark.parametrize(
    ("changes", "l1", "l2", "l2_of_bias"),
    [
        ({"regularizers": [L1]}, 0.5, 0.0, 0.0),
        ({"regularizers": [{"kind": "l2", "strength": 2.0, "select": EVERYTHING}]}, 0.0, 2.0, 2.0),
        ({"regularizers": [{"kind": "elastic_net", "l1": 9.0, "l2": 0.3}, L1]}, 9.5, 0.3, 0.0),
        ({"data": WINE, "regularizers": [{"kind": "l1", "strength": 0.1}]}, 0.1, 0.0, 0.0),
    ],
    ids=str,
)
def test_the_residual_is_the_largest_violation_of_the_optimality_conditions(
    make_convex_job, changes, l1, l2, l2_of_bias
):
    job = make_convex_job(**changes)

    result = train(job)

    parameters = flat(result)
    gradient = gradient_by_differences(smooth_objective(job, result, l2, l2_of_bias), parameters)
    num_weights = result.plan.num_outputs * int(np.prod(result.plan.input_shape))
    strength = np.where(np.arange(parameters.size) < num_weights, l1, 0.0)
    violation = np.where(
        parameters == 0, np.maximum(np.abs(gradient) - strength, 0), np.abs(gradient + strength * np.sign(parameters))
    )
    assert result.kkt_residual == pytest.approx(violation.max(), rel=1e-5)


@pytest.mark.parametrize(
    ("data", "loss"),
    [(DIABETES, "mse"), (DIABETES, "half_mse"), (CANCER, "cross_entropy"), (CANCER, "binary_cross_entropy"),
     (WINE, "cross_entropy")],
)  # fmt: skip
def test_the_strength_that_leaves_no_weight_is_the_largest_gradient_at_the_mean(make_convex_job, data, loss):
    """In closed form: without weights the intercept that is best predicts means, or shares of classes."""
    result = train(make_convex_job(data=data, task={"loss": loss}, regularizers=[L1]))

    x, y = result.data.train.x.numpy(), result.data.train.y.numpy()
    if data is DIABETES:
        expected = np.abs(x.T @ (y - y.mean())).max() / len(y) * (2 if loss == "mse" else 1)
    else:
        one_hot = np.eye(int(y.max()) + 1)[y.astype(int)]
        if loss == "binary_cross_entropy":
            one_hot = one_hot[:, 1:]
        expected = np.abs(x.T @ (one_hot - one_hot.mean(0))).max() / len(y)
    assert result.l1_max == pytest.approx(expected, rel=1e-9)


def test_for_a_loss_without_a_closed_form_it_is_still_where_the_last_weight_goes(make_convex_job):
    result = train(make_convex_job(task={"loss": "huber"}, regularizers=[L1]))

    x, y = result.data.train.x, result.data.train.y
    fitted = minimize(lambda b: torch.nn.functional.huber_loss(torch.full_like(y, b[0]), y).item(), [y.mean().item()])
    residual = (fitted.x[0] - y.numpy()).clip(-1, 1)
    expected = np.abs(x.numpy().T @ residual).max() / len(y)
    assert result.l1_max == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("regularizers", "known"),
    [
        ([L1], True),
        ([{"kind": "elastic_net", "l1": 0.5, "l2": 3.0}], True),
        ([L1, {"kind": "l2", "strength": 1.0}], True),
        ([{"kind": "l2", "strength": 1.0}], False),
        ([], False),
        ([L1, {"kind": "l2", "strength": 1.0, "select": EVERYTHING}], False),
        ([L1 | {"select": EVERYTHING}], False),
        ([L1, {"kind": "elastic_net", "l1": 1.0, "l2": 0.0, "select": {"include": ["*.bias"]}}], False),
        ([L1 | {"strength": 0.0, "select": EVERYTHING}], False),
        ([L1 | {"select": {"include": ["*.bias"]}}], False),
    ],
    ids=str,
)
def test_it_is_known_where_an_l1_penalty_is_on_all_weights_and_the_intercept_is_free(
    make_convex_job, regularizers, known
):
    assert (train(make_convex_job(regularizers=regularizers)).l1_max is not None) is known


def test_without_an_intercept_too(make_convex_job):
    result = train(make_convex_job(model={"kind": "linear", "bias": False}, regularizers=[L1]))

    x, y = result.data.train.x.numpy(), result.data.train.y.numpy()
    assert result.l1_max == pytest.approx(2 * np.abs(x.T @ y).max() / len(y), rel=1e-9)


def free_intercept(strength):
    return [L1, {"kind": "l2", "strength": strength, "select": EVERYTHING}]


@pytest.mark.parametrize(
    "regularizers",
    [
        ([L1], [L1 | {"schedule": {"kind": "cosine"}}]),
        ([L1 | {"schedule": {"kind": "cosine"}}], [L1]),
        (free_intercept(0.0), free_intercept(0.5)),
        (free_intercept(0.5), free_intercept(0.0)),
    ],
)
def test_members_of_one_pass_have_each_what_they_have_alone(make_convex_job, regularizers):
    """Members may differ in schedules and strengths, so one may be convex and another not."""
    jobs = [make_convex_job(regularizers=own) for own in regularizers]

    together = dict(train_group([Newcomer(str(k), plan_of(job)) for k, job in enumerate(jobs)]))

    for k, job in enumerate(jobs):
        alone = train(job)
        assert (together[str(k)].kkt_residual, together[str(k)].l1_max) == (
            pytest.approx(alone.kkt_residual),
            pytest.approx(alone.l1_max),
        )
