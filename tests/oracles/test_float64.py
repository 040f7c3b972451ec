"""A float64 run is float64 all the way: a plain loop of torch, which shares no code with the engine, is the oracle.

Full batch, on rows that scikit-learn reads and scales. No number here is a power of two, since such a one survives a
detour over float32.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn import functional

import regcore
from regcore import Result, load_predictor, train

STEPS = 7
ALL_ROWS = {"test_fraction": 0, "validation_fraction": 0}
Loss = Callable[[Tensor, Tensor], Tensor]
Change = Callable[[dict[str, Tensor], float], None]
"""Of the weights, in place, with the rate of the step."""


def wine() -> tuple[Tensor, Tensor]:
    rows = load_wine()
    return torch.from_numpy(StandardScaler().fit_transform(rows.data)), torch.from_numpy(rows.target)


def tumours() -> tuple[Tensor, Tensor]:
    rows = load_breast_cancer()
    return torch.from_numpy(StandardScaler().fit_transform(rows.data)), torch.from_numpy(rows.target).double()


def patients() -> tuple[Tensor, Tensor]:
    rows = load_diabetes(scaled=False)
    return torch.from_numpy(StandardScaler().fit_transform(rows.data)), torch.from_numpy(rows.target)


def digits() -> tuple[Tensor, Tensor]:
    with np.load(Path(regcore.__file__).parent / "data/mnist_5k.npz") as archive:
        pixels, labels = archive["images"].reshape(5000, 784), archive["labels"]
    return torch.from_numpy(pixels / np.float64(255)), torch.from_numpy(labels.astype(np.int64))


def starting_weights(num_inputs: int, num_outputs: int) -> dict[str, Tensor]:
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(num_outputs, num_inputs)) / 7, rng.normal(size=num_outputs) / 7
    return {"head.weight": torch.from_numpy(weight), "head.bias": torch.from_numpy(bias)}


def loop(
    x: Tensor,
    y: Tensor,
    loss: Loss,
    make_optimizer: Callable[[list[Tensor]], torch.optim.Optimizer],
    *,
    factors: list[float] | None = None,
    penalty: Callable[[Tensor], Tensor] = lambda weight: 0 * weight.sum(),
    before: Change = lambda weights, rate: None,
    after: Change = lambda weights, rate: None,
) -> tuple[dict[str, Tensor], float]:
    """The weights and the mean loss after some steps of a linear model."""
    outputs = 1 if y.is_floating_point() else int(y.max()) + 1
    weights = {name: value.requires_grad_() for name, value in starting_weights(x.shape[1], outputs).items()}
    optimizer = make_optimizer(list(weights.values()))
    base = optimizer.param_groups[0]["lr"]
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = rate = base * (factors[step] if factors else 1)
        optimizer.zero_grad()
        said = x @ weights["head.weight"].T + weights["head.bias"]
        (loss(said, y) + penalty(weights["head.weight"])).backward()
        with torch.no_grad():
            before(weights, rate)
            optimizer.step()
            after(weights, rate)
    with torch.no_grad():
        last = loss(x @ weights["head.weight"].T + weights["head.bias"], y)
    return weights, float(last)


def run(name: str, rows: tuple[Tensor, Tensor], directory: Path, **parts: Any) -> Result:
    x, y = rows
    outputs = 1 if y.is_floating_point() else int(y.max()) + 1
    save_file(starting_weights(x.shape[1], outputs), directory / "start.safetensors")
    spec = {
        "model": {"kind": "linear"},
        "training": {"epochs": STEPS, "batch_size": "full", "precision": "float64"},
        "resources": {"device": "cpu"},
        **parts,
        "data": {"kind": "builtin", "name": name, **ALL_ROWS, **parts.get("data", {})},
    }
    return train(spec, starting_weights=directory / "start.safetensors")


def assert_same(result: Result, weights: dict[str, Tensor], loss: float) -> None:
    for name, value in result.model.state_dict().items():
        torch.testing.assert_close(value, weights[name].detach(), rtol=1e-12, atol=1e-12)
    assert result.metrics["train/loss"] == pytest.approx(loss, rel=1e-12)


def cross_entropy(weight: list[float] | None = None) -> Loss:
    """Of each row times its class's weight, in the mean over rows."""
    by_class = None if weight is None else torch.tensor(weight, dtype=torch.float64)

    def mean_loss(outputs: Tensor, y: Tensor) -> Tensor:
        rows = -outputs.log_softmax(1).gather(1, y[:, None]).squeeze(1)
        return (rows if by_class is None else rows * by_class[y]).mean()

    return mean_loss


def sgd(rate: float) -> Callable[[list[Tensor]], torch.optim.Optimizer]:
    return lambda weights: torch.optim.SGD(weights, lr=rate)


PLAIN = {"kind": "sgd", "learning_rate": 0.13, "momentum": 0.0}


@pytest.mark.parametrize(
    ("optimizer", "make"),
    [
        (PLAIN, sgd(0.13)),
        (
            {"kind": "sgd", "learning_rate": 0.11, "momentum": 0.7},
            lambda weights: torch.optim.SGD(weights, lr=0.11, momentum=0.7),
        ),
        (
            {"kind": "sgd", "learning_rate": 0.11, "momentum": 0.7, "nesterov": True},
            lambda weights: torch.optim.SGD(weights, lr=0.11, momentum=0.7, nesterov=True),
        ),
        (
            {"kind": "adam", "learning_rate": 0.013, "beta1": 0.83, "beta2": 0.97, "eps": 1e-7},
            lambda weights: torch.optim.Adam(weights, lr=0.013, betas=(0.83, 0.97), eps=1e-7),
        ),
        (
            {"kind": "adamw", "learning_rate": 0.013, "weight_decay": 0.37},
            lambda weights: torch.optim.AdamW(weights, lr=0.013, weight_decay=0.37),
        ),
        (
            {"kind": "rmsprop", "learning_rate": 0.013, "alpha": 0.93},
            lambda weights: torch.optim.RMSprop(weights, lr=0.013, alpha=0.93),
        ),
        (
            {"kind": "rmsprop", "learning_rate": 0.013, "alpha": 0.93, "momentum": 0.3},
            lambda weights: torch.optim.RMSprop(weights, lr=0.013, alpha=0.93, momentum=0.3),
        ),
    ],
)
@pytest.mark.parametrize("class_weights", [None, [1.1, 0.3, 0.7]])
def test_every_optimizer(optimizer, make, class_weights, tmp_path):
    weights, loss = loop(*wine(), cross_entropy(class_weights), make)

    result = run("wine", wine(), tmp_path, optimizer=optimizer, task={"class_weights": class_weights})

    assert_same(result, weights, loss)


def test_balanced_class_weights(tmp_path):
    counts = np.bincount(load_wine().target)
    balanced = (178 / (3 * counts)).tolist()
    weights, loss = loop(*wine(), cross_entropy(balanced), sgd(0.13))

    result = run("wine", wine(), tmp_path, optimizer=PLAIN, task={"class_weights": "balanced"})

    assert_same(result, weights, loss)


def test_schedules(tmp_path):
    factors = [min(1, (step + 1) / 3) * 0.7 ** (step // 2) for step in range(STEPS)]
    weights, loss = loop(*wine(), cross_entropy(), sgd(0.13), factors=factors)

    schedule = {"kind": "step", "gamma": 0.7, "every_epochs": 2, "warmup_epochs": 3}
    result = run("wine", wine(), tmp_path, optimizer=PLAIN | {"schedule": schedule})

    assert_same(result, weights, loss)


def shrink(strength: float) -> Change:
    def soft_threshold(weights: dict[str, Tensor], rate: float) -> None:
        weight = weights["head.weight"]
        weight.copy_(weight.sign() * (weight.abs() - strength * rate).clamp(min=0))

    return soft_threshold


def decay(strength: float) -> Change:
    return lambda weights, rate: weights["head.weight"].mul_(1 - strength * rate)


@pytest.mark.parametrize(
    ("regularizer", "effect"),
    [
        ({"kind": "l1", "strength": 0.0137}, {"after": shrink(0.0137)}),
        (
            {"kind": "l1", "strength": 0.0137, "method": "subgradient"},
            {"penalty": lambda weight: 0.0137 * weight.abs().sum()},
        ),
        ({"kind": "l2", "strength": 0.37}, {"penalty": lambda weight: 0.37 / 2 * weight.square().sum()}),
        (
            {"kind": "elastic_net", "l1": 0.0137, "l2": 0.37},
            {"penalty": lambda weight: 0.37 / 2 * weight.square().sum(), "after": shrink(0.0137)},
        ),
        ({"kind": "weight_decay", "strength": 0.37}, {"before": decay(0.37)}),
    ],
    ids=lambda part: str(part.get("method", part.get("kind"))),
)
def test_every_regularizer_of_weights(regularizer, effect, tmp_path):
    weights, loss = loop(*wine(), cross_entropy(), sgd(0.13), **effect)

    result = run("wine", wine(), tmp_path, optimizer=PLAIN, regularizers=[regularizer])

    assert_same(result, weights, loss)


def mean_square(outputs: Tensor, y: Tensor) -> Tensor:
    return (outputs.squeeze(1) - y).square().mean()


def mean_huber(outputs: Tensor, y: Tensor) -> Tensor:
    size = (outputs.squeeze(1) - y).abs()
    return torch.where(size < 1, size.square() / 2, size - 0.5).mean()


@pytest.mark.parametrize(
    ("loss", "mean_loss"),
    [("mse", mean_square), ("half_mse", lambda *pair: mean_square(*pair) / 2), ("huber", mean_huber)],
)
@pytest.mark.parametrize("scales", [True, False])
def test_every_loss_of_numbers(loss, mean_loss, scales, tmp_path):
    x, y = patients()
    unit = y.numpy().std() if scales else 1.0
    fed = (y - y.mean()) / unit if scales else y
    weights, last = loop(x, fed, mean_loss, sgd(0.013))

    result = run(
        "diabetes",
        patients(),
        tmp_path,
        data={"standardize_target": scales},
        task={"loss": loss},
        optimizer=PLAIN | {"learning_rate": 0.013},
    )

    assert_same(result, weights, last * unit**2)


def test_two_classes_by_one_logit(tmp_path):
    x, y = tumours()

    def mean_loss(outputs: Tensor, y: Tensor) -> Tensor:
        by_class = 1.3 - 0.6 * y
        return (functional.softplus((1 - 2 * y) * outputs.squeeze(1)) * by_class).mean()

    weights, loss = loop(x, y, mean_loss, sgd(0.13))

    task = {"loss": "binary_cross_entropy", "class_weights": [1.3, 0.7]}
    result = run("breast-cancer", (x, y), tmp_path, task=task, optimizer=PLAIN)

    assert_same(result, weights, loss)


def test_pixels_are_never_rounded_to_float32(tmp_path):
    x, y = digits()
    weights, loss = loop(x, y, cross_entropy(), sgd(0.13))

    result = run("mnist-5k", (x, y), tmp_path, optimizer=PLAIN)

    assert_same(result, weights, loss)
    assert torch.equal(result.data.train.x.flatten(1), x)


def test_a_predictor_does_not_round_pixels_either(tmp_path):
    x, y = digits()
    result = run("mnist-5k", (x, y), tmp_path, optimizer=PLAIN, data={"standardize": True})
    result.save(tmp_path)

    said = load_predictor(tmp_path).predict_proba((x * 255).round().numpy())

    scaled = (x - x.numpy().mean()) / x.numpy().std()
    with torch.no_grad():
        expected = (scaled @ result.model.head.weight.T + result.model.head.bias).softmax(1)
    np.testing.assert_allclose(said, expected.numpy(), rtol=1e-11)
