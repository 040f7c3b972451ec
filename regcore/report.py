"""The report of a finished run: how good it is, how certain that is, and what the regularizers did."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from regcore.intervals import bootstrap, percentile_interval, wilson, with_interval

_NUM_CALIBRATION_BINS: Final = 15
_SPLIT_SEEDS: Final = {"train": 1, "validation": 2, "test": 3}


@dataclass(frozen=True, eq=False)
class SplitEvaluation:
    """One split as the final model sees it: eval mode, un-augmented, unpenalised, true labels.

    Attributes:
        per_row_loss: (N,).
        predictions: Class labels or values, (N,).
        targets: (N,).
        probabilities: Of each class, (N, classes); None for regression.
    """

    per_row_loss: NDArray[Any]
    predictions: NDArray[Any]
    targets: NDArray[Any]
    probabilities: NDArray[Any] | None = None


@dataclass(frozen=True)
class RegularizerEffect:
    """What one regularizer did.

    Attributes:
        kind: As in the spec.
        touched: Names of the parameters or layers that it acts on.
        penalty: Its part of the objective in the selected epoch; None without one (dropout).
        note: Its own remark.
    """

    kind: str
    touched: Sequence[str]
    penalty: float | None = None
    note: str | None = None


def make_report(
    *,
    task: str,
    evaluations: Mapping[str, SplitEvaluation],
    history: Iterable[Mapping[str, Any]],
    parameters: Mapping[str, torch.Tensor],
    regularizers: Sequence[RegularizerEffect],
    data_loss: float,
    dead_units: Mapping[str, int],
) -> dict[str, Any]:
    """The report as JSON; a value that is not finite is null.

    Args:
        task: `classification` or `regression`.
        evaluations: By split: train, validation, test.
        history: Bodies of the metrics records, in order.
        parameters: By `{layer}.{parameter}`.
        regularizers: In the order of the spec.
        data_loss: The data part of the objective in the selected epoch.
        dead_units: By layer, units whose activation is the same for every train row.
    """
    losses = {
        split: bootstrap(_loss_column(rows), _first_mean, seed=_SPLIT_SEEDS[split])
        for split, rows in evaluations.items()
    }
    metrics = {split: _split_metrics(task, split, rows, losses[split]) for split, rows in evaluations.items()}
    report = {
        "metrics": metrics,
        "generalization_gap": _gap(metrics, losses),
        "calibration": _calibration(evaluations) if task == "classification" else None,
        "sparsity": {**_sparsity(parameters), "dead_units": dict(dead_units)},
        "norms": _norms(parameters),
        "regularizers": _shares(regularizers, data_loss),
        "curves": _curves(history),
    }
    cleaned: dict[str, Any] = _finite_or_null(report)
    return cleaned


def _loss_column(rows: SplitEvaluation) -> NDArray[np.float64]:
    return np.asarray(rows.per_row_loss, np.float64)[:, None]


def _first_mean(means: NDArray[np.float64]) -> NDArray[np.float64]:
    return means[:, 0]


def _r2(means: NDArray[np.float64], *, num_rows: int) -> NDArray[np.float64]:
    """R² from means of squared error, target and squared target; NaN for a resample of equal targets.

    The variance of equal targets is a rounding error, which grows with the rows.
    """
    variance = means[:, 2] - means[:, 1] ** 2
    varies = variance > num_rows * np.finfo(np.float64).eps * means[:, 2]
    unexplained = np.divide(means[:, 0], variance, out=np.full(len(means), np.nan), where=varies)
    r2: NDArray[np.float64] = 1 - unexplained
    return r2


def _split_metrics(task: str, split: str, rows: SplitEvaluation, losses: NDArray[np.float64]) -> dict[str, Any]:
    loss = float(_loss_column(rows).mean())
    metrics = {"loss": with_interval(loss, percentile_interval(losses))}
    if task == "classification":
        num_hits, num_rows = int((rows.predictions == rows.targets).sum()), len(rows.targets)
        metrics["accuracy"] = with_interval(num_hits / num_rows, wilson(num_hits, num_rows))
        return metrics
    targets = np.asarray(rows.targets, np.float64)
    errors = np.asarray(rows.predictions, np.float64) - targets
    # R² does not depend on the targets' origin. Shifted near zero, squares lose no digits, and equal targets are zeros.
    from_first = targets - targets[0]
    centred = from_first - from_first.mean()
    for name, columns, statistic in (
        ("r2", np.stack([errors**2, centred, centred**2], axis=1), partial(_r2, num_rows=len(targets))),
        ("mae", np.abs(errors)[:, None], _first_mean),
    ):
        value = float(statistic(columns.mean(axis=0, keepdims=True))[0])
        resampled = bootstrap(columns, statistic, seed=_SPLIT_SEEDS[split])
        metrics[name] = with_interval(value, percentile_interval(resampled))
    return metrics


def _gap(metrics: Mapping[str, Any], losses: Mapping[str, NDArray[np.float64]]) -> dict[str, Any] | None:
    """test/loss − train/loss; the splits share no rows, so their resamples are independent."""
    if "test" not in metrics or "train" not in metrics:
        return None
    value = metrics["test"]["loss"]["value"] - metrics["train"]["loss"]["value"]
    return with_interval(value, percentile_interval(losses["test"] - losses["train"]))


def _calibration(evaluations: Mapping[str, SplitEvaluation]) -> dict[str, Any] | None:
    """Expected calibration error on the split that training used least.

    Σ_bins (rows in bin / rows) · |accuracy − mean confidence|, over bins of equal width.

    Not by torchmetrics, whose import takes 2.3 s, two fifths of a runner's start.

    Source: Naeini, Cooper & Hauskrecht 2015, Obtaining Well Calibrated Probabilities Using Bayesian Binning.
    """
    split = next((name for name in ("test", "validation", "train") if name in evaluations), None)
    if split is None or evaluations[split].probabilities is None:
        return None
    probabilities = np.asarray(evaluations[split].probabilities)
    if not np.isfinite(probabilities).all():
        return {"split": split, "ece": None}
    confidence = probabilities.max(1)
    surplus = (probabilities.argmax(1) == evaluations[split].targets) - confidence
    bins = np.minimum((confidence * _NUM_CALIBRATION_BINS).astype(int), _NUM_CALIBRATION_BINS - 1)
    return {"split": split, "ece": float(np.abs(np.bincount(bins, surplus)).sum() / len(confidence))}


def _weights_by_layer(parameters: Mapping[str, torch.Tensor]) -> dict[str, list[torch.Tensor]]:
    """Tensors of two or more dimensions, by layer; sparsity and norms are computed over these."""
    layers: dict[str, list[torch.Tensor]] = {}
    for name, tensor in parameters.items():
        if tensor.ndim >= 2:
            layers.setdefault(name.rpartition(".")[0], []).append(tensor.detach())
    return layers


def _sparsity(parameters: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    layers = _weights_by_layer(parameters)
    sizes = {layer: sum(weight.numel() for weight in weights) for layer, weights in layers.items()}
    zeros = {
        layer: sizes[layer] - sum(int(weight.count_nonzero()) for weight in weights)
        for layer, weights in layers.items()
    }
    return {
        "overall": sum(zeros.values()) / sum(sizes.values()) if sizes else 0.0,
        "by_layer": {layer: zeros[layer] / sizes[layer] for layer in layers},
    }


def _norms(parameters: Mapping[str, torch.Tensor]) -> dict[str, dict[str, float]]:
    return {
        layer: {
            "l1": l1_norm(weights),
            "l2": l2_norm(weights),
            "max": max(float(weight.abs().max()) for weight in weights),
        }
        for layer, weights in _weights_by_layer(parameters).items()
    }


def l1_norm(tensors: Sequence[torch.Tensor]) -> float:
    """‖w‖₁ of all elements of the tensors together, summed in double precision."""
    return sum(float(torch.linalg.vector_norm(tensor.double(), 1)) for tensor in tensors)


def l2_norm(tensors: Sequence[torch.Tensor]) -> float:
    """‖w‖ of all elements of the tensors together, summed in double precision."""
    return math.hypot(*(float(torch.linalg.vector_norm(tensor.double())) for tensor in tensors))


def _shares(regularizers: Sequence[RegularizerEffect], data_loss: float) -> list[dict[str, Any]]:
    objective = data_loss + sum(effect.penalty or 0.0 for effect in regularizers)
    entries = []
    for effect in regularizers:
        has_share = effect.penalty is not None and objective > 0
        share = (effect.penalty or 0.0) / objective if has_share else None
        entries.append(
            {
                "kind": effect.kind,
                "touched": list(effect.touched),
                "share_of_objective": share,
                "note": effect.note,
            }
        )
    return entries


def _curves(history: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Columns of equal length; a metric that a row lacks is null there."""
    rows = list(history)
    names = list(dict.fromkeys(name for row in rows for name in row["values"]))
    return {
        "epoch": [row["epoch"] for row in rows],
        "step": [row["step"] for row in rows],
        "values": {name: [row["values"].get(name) for row in rows] for name in names},
    }


def _finite_or_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite_or_null(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_finite_or_null(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
