"""The models that regularizers need, made to take this run's rows: other jobs' models, and those trained first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn

from regcore.data.prepared import PreparedData
from regcore.errors import InvalidDataError
from regcore.loop.between_scalings import Affine, are_of_one_kind, between, other_rows
from regcore.loop.effects import Inputs
from regcore.loop.network import StackedNetwork
from regcore.plan import Plan
from regcore.predict import load_predictor
from regcore.spec.inputs import INIT_FROM

if TYPE_CHECKING:
    from regcore.loop.newcomer import Newcomer

WEIGHTS: Final = "model.safetensors"


def weights_file(given: Path | str) -> Path:
    """The file of an input's weights, of which either that or its folder was given."""
    path = Path(given)
    return path / WEIGHTS if path.is_dir() else path


def load_inputs(newcomers: Sequence[Newcomer], data: PreparedData, network: StackedNetwork) -> Inputs:
    """The models that each member's regularizers need. Members with the same files share one module.

    Raises:
        InvalidDataError: A model is missing, cannot be read, or does not take this run's rows or tell its classes.
    """
    loaded: dict[Path, nn.Module] = {}
    each: list[dict[str, dict[str, nn.Module]]] = []
    for newcomer in newcomers:
        own: dict[str, dict[str, nn.Module]] = {}
        for name in [*newcomer.plan.inputs, *newcomer.plan.trained_first]:
            if name == INIT_FROM:
                continue
            path = newcomer.inputs.get(name)
            if path is None:
                remedy = "Name a job that still has its model."
                raise InvalidDataError(f"the model of {name} is no longer there", remedy=remedy)
            if path not in loaded:
                loaded[path] = _load(name, path, newcomer.plan, data, network)
            regularizer, _, field = name.rpartition(".")
            own.setdefault(regularizer, {})[field] = loaded[path]
        each.append(own)
    return each


def _load(name: str, path: Path, plan: Plan, data: PreparedData, network: StackedNetwork) -> nn.Module:
    predictor = load_predictor(path.parent, device=network.device)
    same_rows = are_of_one_kind(predictor.preprocessing, data.preprocessing)
    if predictor.task != plan.task or predictor.classes != data.classes or not same_rows:
        differing = (
            "another task or other classes" if same_rows else other_rows(predictor.preprocessing, data.preprocessing)
        )
        raise InvalidDataError(
            f"the model of {name} was trained on {differing}",
            remedy="Name a job on the same kind of rows with the same classes.",
        )
    change = between(predictor.preprocessing, data.preprocessing)
    module = predictor.model if change.is_identity else _Rescaled(predictor.model, change)
    return module.to(device=network.device, dtype=network.dtype).eval().requires_grad_(False)


class _Rescaled(nn.Module):
    """A model that was trained on rows of another scaling, for rows of this run's.

    Args:
        module: Takes rows as its own run scaled them.
        change: From this run's rows to those.
    """

    scale: Tensor
    """(places,), or (their places, our places) if a place depends on several."""
    offset: Tensor

    def __init__(self, module: nn.Module, change: Affine) -> None:
        super().__init__()
        self.module = module
        self.takes_lengths = getattr(module, "takes_lengths", False)
        diagonal = change.matrix.diagonal()
        is_diagonal = change.matrix.nnz == np.count_nonzero(diagonal)
        matrix = diagonal if is_diagonal else change.matrix.toarray()
        self.register_buffer("scale", torch.tensor(matrix, dtype=torch.float64))
        self.register_buffer("offset", torch.tensor(change.offset, dtype=torch.float64))

    def forward(self, x: Tensor, *lengths: Tensor) -> Tensor:
        """Its outputs for (N, *shape)."""
        rows = x.flatten(1)
        rows = (rows * self.scale if self.scale.dim() == 1 else rows @ self.scale.T) + self.offset
        outputs: Tensor = self.module(rows.view_as(x), *lengths)
        return outputs
