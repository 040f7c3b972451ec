"""The report of a finished run: how good it is, how certain that is, and what the regularizers did."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from regcore.intervals import percentile_interval, with_interval
from regcore.tasks.scores.split import SplitEvaluation, resampled_means

_SPLIT_SEEDS: Final = {"train": 1, "validation": 2, "test": 3}


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
    evaluations: Mapping[str, SplitEvaluation],
    history: Iterable[Mapping[str, Any]],
    parameters: Mapping[str, torch.Tensor],
    regularizers: Sequence[RegularizerEffect],
    data_loss: float,
    dead_units: Mapping[str, int],
    described: Mapping[str, Any] | None = None,
    baseline: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The report as JSON; a value that is not finite is null.

    Args:
        evaluations: By split: train, validation, test.
        history: Bodies of the metrics records, in order.
        parameters: By `{layer}.{parameter}`.
        regularizers: In the order of the spec.
        data_loss: The data part of the objective in the selected epoch.
        dead_units: By layer, units whose activation is the same for every train row.
        described: What the task adds, `Task.described`.
        baseline: What always saying the same would give.
    """
    losses = {split: resampled_means(rows.per_row_loss, _SPLIT_SEEDS[split]) for split, rows in evaluations.items()}
    metrics = {split: rows.with_intervals(losses[split], _SPLIT_SEEDS[split]) for split, rows in evaluations.items()}
    report = {
        "metrics": metrics,
        "baseline": baseline,
        **(described or {}),
        "generalization_gap": _gap(metrics, losses),
        "sparsity": {**_sparsity(parameters), "dead_units": dict(dead_units)},
        "norms": _norms(parameters),
        "regularizers": _shares(regularizers, data_loss),
        "curves": _curves(history),
    }
    cleaned: dict[str, Any] = _finite_or_null(report)
    return cleaned


def _gap(metrics: Mapping[str, Any], losses: Mapping[str, NDArray[np.float64]]) -> dict[str, Any] | None:
    """test/loss − train/loss; the splits share no rows, so their resamples are independent."""
    if "test" not in metrics or "train" not in metrics:
        return None
    value = metrics["test"]["loss"]["value"] - metrics["train"]["loss"]["value"]
    return with_interval(value, percentile_interval(losses["test"] - losses["train"]))


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
