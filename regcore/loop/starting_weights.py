"""Starting from another run's weights: `init_from`."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from regcore.errors import InvalidDataError
from regcore.loop.network import StackedNetwork


@torch.no_grad()
def load_starting_weights(path: Path | None, network: StackedNetwork, position: int) -> None:
    """Put the weights of a `model.safetensors` into one member.

    Raises:
        InvalidDataError: There is no file, it cannot be read, or its parameters have other names or shapes.
    """
    if path is None:
        raise InvalidDataError(
            "the weights to start from are no longer there", remedy="Start from another job, or from scratch."
        )
    try:
        saved = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InvalidDataError(
            f"the weights to start from cannot be read: {error}", remedy="Start from another job, or from scratch."
        ) from error
    wanted = {name: tuple(weight.shape[1:]) for name, weight in network.weights.items()}
    found = {name: tuple(tensor.shape) for name, tensor in saved.items()}
    if wanted != found:
        differing = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        raise InvalidDataError(
            f"the weights to start from are of another model: {', '.join(differing)} differ",
            remedy="Start from a job with the same layers, or from scratch.",
            details={"differing": differing},
        )
    for name, weight in network.weights.items():
        weight[position] = saved[name].to(weight)
