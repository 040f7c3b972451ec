"""Starting weights that fit this run: another run's moved to its scaling, fresh ones faint where nothing is learned."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from regcore.data.prepared import PreparedData
from regcore.data.preprocessing import TargetScaling
from regcore.data.read_preprocessing import read_preprocessing
from regcore.data.tables.encode import TablePreprocessing
from regcore.errors import InvalidDataError
from regcore.layers import Layer
from regcore.loop.between_scalings import Affine, are_of_one_kind, between, other_categories
from regcore.loop.network import StackedNetwork
from regcore.plan import Plan
from regcore.record import Record
from regcore.spec.kinds import TASKS

_NEXT_TO_NOTHING: Final = 1e-6
_UNSCALED: Final = TargetScaling(mean=0.0, scale=1.0)

TargetChange = tuple[NDArray[np.float64], NDArray[np.float64]]
"""A factor and an offset."""


def keep_predictions(
    described: dict[str, Any] | None, plan: Plan, data: PreparedData, network: StackedNetwork, position: int
) -> Record | None:
    """Adapt starting weights, so that the member predicts from raw rows what the weights predicted in their own run.

    Each run scales by its own train rows, and models older than `data.standardize_target` have unscaled targets. So the
    first layer absorbs the difference in the features, and the output layer that in the target. If nothing differs, no
    bit changes.

    Args:
        described: The weights' own `model.json`; None if it is unknown.
        plan: The member's.
        data: The member's.
        network: Holds the weights.
        position: The member's.

    Returns:
        A warning if the weights are used unchanged, because their scaling is unknown or belongs to other data.

    Raises:
        InvalidDataError: The layers cannot absorb the difference.
    """
    task = TASKS[plan.task]
    if described is None:
        is_scaled = task.has_numbers or data.preprocessing.is_fitted
        return (
            _as_they_are("no model.json lies beside them that says how their data were scaled") if is_scaled else None
        )
    theirs = read_preprocessing(described["preprocessing"])
    classes = described["outputs"]["classes"]
    if not are_of_one_kind(theirs, data.preprocessing) or described["task"] != plan.task:
        return _as_they_are("they were trained on other columns, or for another task")
    if task.has_classes and classes is not None and classes != list(data.classes or ()):
        return _as_they_are("they tell other classes apart")
    features = between(theirs, data.preprocessing)
    if task.gives_rows and not features.is_identity:
        return _as_they_are("they reconstruct rows in the scaling of their own run")
    _fold_features(features, plan, network, position)
    if task.has_numbers:
        saved = described.get("target_scaling")  # older models have none
        target = _between_targets(_UNSCALED if saved is None else TargetScaling(**saved), data.target_scaling)
        _fold_target(target, plan, network, position)
    others = other_categories(theirs, data.preprocessing)
    return _of_other_categories(others) if others else None


@torch.no_grad()
def hush_unlearned(plan: Plan, data: PreparedData, network: StackedNetwork) -> None:
    """Begin with next to no weight at each place of a row that no train row uses.

    A fresh weight there would stay as it was drawn, and a new row of a category that training never saw would be scored
    by that accident. It is not 0, because `sparsity` counts the zeros that a regularizer makes.
    """
    places = data.preprocessing.unlearned_places if isinstance(data.preprocessing, TablePreprocessing) else []
    found = _outermost_linear(plan.layers, plan.layer_names, network)
    if places and found is not None:
        network.tensors[f"{found}.weight"][..., places] *= _NEXT_TO_NOTHING


def _as_they_are(why: str) -> Record:
    message = (
        f"The weights to start from are taken as they are: {why}. If their features or targets had another mean and "
        "scale than this run's, it begins far from what they predicted."
    )
    return Record("warning", {"code": "starting_weights_not_rescaled", "message": message})


def _between_targets(theirs: TargetScaling, ours: TargetScaling | None) -> TargetChange:
    """The map from the other run's outputs to this run's: factor and offset."""
    ours = ours or _UNSCALED
    return np.asarray(theirs.scale / ours.scale), np.asarray((theirs.mean - ours.mean) / ours.scale)


def _of_other_categories(columns: Sequence[str]) -> Record:
    message = (
        f"The weights to start from were trained on other categories of {', '.join(map(repr, columns[:10]))}: those "
        "that had no place of their own there begin as the rare ones did."
    )
    return Record("warning", {"code": "starting_weights_other_categories", "message": message})


@torch.no_grad()
def _fold_features(change: Affine, plan: Plan, network: StackedNetwork, position: int) -> None:
    """W(Ax + c) + b is (WA)x + (b + Wc)."""
    if change.is_identity:
        return
    offset = torch.from_numpy(change.offset).to(network.device)
    weight, bias = _layer(plan.layers, plan.layer_names, network, needs_bias=bool(offset.any()))
    if bias is not None:
        bias[position] = bias[position].double() + weight[position].double() @ offset
    theirs = weight[position].double().cpu().numpy()
    weight[position] = torch.from_numpy(np.ascontiguousarray((change.matrix.T @ theirs.T).T)).to(weight)


@torch.no_grad()
def _fold_target(change: TargetChange, plan: Plan, network: StackedNetwork, position: int) -> None:
    """a(Wx + b) + c is (aW)x + (ab + c)."""
    if _is_none(change):
        return
    factor, offset = (torch.from_numpy(part).to(network.device) for part in change)
    weight, bias = _layer(plan.layers[::-1], plan.layer_names[::-1], network, needs_bias=bool(offset.any()))
    weight[position] = weight[position].double() * factor
    if bias is not None:
        bias[position] = bias[position].double() * factor + offset


def _is_none(change: TargetChange) -> bool:
    factor, offset = change
    return bool((factor == 1).all() and (offset == 0).all())


def _outermost_linear(layers: Sequence[Layer], names: Sequence[str], network: StackedNetwork) -> str | None:
    """The first affine layer with a matrix, if nothing before it changes numbers when the network predicts."""
    for layer, name in zip(layers, names, strict=True):
        matrix = network.infos.get(f"{name}.weight")
        if layer.is_affine and matrix is not None:
            return name if len(matrix.shape) == 2 else None
        if not layer.only_in_training and not layer.is_affine:
            break
    return None


def _layer(
    layers: Sequence[Layer], names: Sequence[str], network: StackedNetwork, *, needs_bias: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Weight and bias of the outermost linear layer."""
    found = _outermost_linear(layers, names, network)
    bias = network.tensors.get(f"{found}.bias")
    if found is not None and (bias is not None or not needs_bias):
        return network.tensors[f"{found}.weight"], bias
    raise InvalidDataError(
        "the weights to start from were trained on features or targets with another mean and scale than this run's, "
        "and only a linear layer with a bias at the model's first and last place could make up for it",
        remedy="Take the data, the split, standardize and standardize_target of the job that they come from, or start "
        "from scratch.",
    )
