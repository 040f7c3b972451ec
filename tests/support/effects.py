"""Regularizers at work on stacked weights, without a run."""

import torch

from regcore.regularizers import Setting
from regcore.shapes import TensorInfo
from regcore.tasks import Regression


def infos_of(weights):
    """What the weights are: matrices, and biases by their names."""
    return [
        TensorInfo(
            name, tuple(weight.shape[1:]), "bias" if name.endswith(".bias") else "weight", "oi"[: weight.dim() - 1]
        )
        for name, weight in weights.items()
    ]


def bind_effect(regularizers, weights, task=None, inputs=()):
    """The effect of regularizers, one per member, on weights (K, ...)."""
    infos = infos_of(weights)
    setting = Setting(
        name=regularizers[0].kind,
        touched=regularizers[0].touched(infos),
        tensors={info.name: info for info in infos},
        layers={"head": "linear"},
        task=task or Regression("mse"),
        dtype=next(iter(weights.values())).dtype,
        device=torch.device("cpu"),
        inputs=inputs,
    )
    effect = type(regularizers[0]).bind(regularizers, setting)
    effect.state = effect.start(weights)
    return effect
