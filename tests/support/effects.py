"""Regularizers at work on stacked weights, without a run."""

import torch

from regcore.at import At
from regcore.regularizers import Setting
from regcore.shapes import TensorInfo
from regcore.tasks import Classification, Regression


def infos_of(weights):
    """What the weights are: matrices, and biases by their names."""
    return [
        TensorInfo(
            name, tuple(weight.shape[1:]), "bias" if name.endswith(".bias") else "weight", "oi"[: weight.dim() - 1]
        )
        for name, weight in weights.items()
    ]


def bind_effect(regularizers, weights, task=None, inputs=(), preprocessing=None):
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
        preprocessing=preprocessing,
    )
    effect = type(regularizers[0]).bind(regularizers, setting)
    effect.state = effect.start(weights)
    return effect


def augmented(regularizers, batch, step=0, task=None, preprocessing=None, **place):
    """A batch as regularizers of rows change it, one for each member; the members' seeds are 1, 2, …"""
    effect = bind_effect(
        regularizers,
        {"head.weight": torch.zeros(len(regularizers), 1, 1, dtype=batch.x.dtype)},
        task or Classification("cross_entropy", 3),
        preprocessing=preprocessing,
    )
    seeds = place.pop("seeds", tuple(range(1, len(regularizers) + 1)))
    return effect.on_batch(batch, At(step, 10, 1000, seeds, **place))
