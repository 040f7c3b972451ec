"""Starting from another run's weights: `init_from`."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from regcore.errors import InvalidDataError
from regcore.loop.network import StackedNetwork

_DESCRIPTION: Final = "model.json"
_FROM_ELSEWHERE: Final = "Start from another job, or from scratch."


@torch.no_grad()
def load_starting_weights(path: Path | None, network: StackedNetwork, position: int) -> None:
    """Put the weights of a `model.safetensors` into one member.

    Raises:
        InvalidDataError: The file is missing or unreadable, or its parameters have other names or shapes.
    """
    if path is None:
        raise InvalidDataError("the weights to start from are no longer there", remedy=_FROM_ELSEWHERE)
    try:
        saved = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InvalidDataError(f"the weights to start from cannot be read: {error}", remedy=_FROM_ELSEWHERE) from error
    wanted = {name: info.shape for name, info in network.infos.items()}
    found = {name: tuple(tensor.shape) for name, tensor in saved.items()}
    if wanted != found:
        differing = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        raise InvalidDataError(
            f"the weights to start from are of another model: {', '.join(differing)} differ",
            remedy="Start from a job with the same layers, or from scratch.",
            details={"differing": differing},
        )
    for name in network.infos:
        network.tensors[name][position] = saved[name].to(network.tensors[name])


def describe_starting_weights(weights: Path) -> dict[str, Any] | None:
    """The `model.json` beside a `model.safetensors`; None if it is missing, or belongs to other weights.

    Raises:
        InvalidDataError: It exists and cannot be read.
    """
    path = weights.with_name(_DESCRIPTION)
    if not path.exists():
        return None
    try:
        described: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        is_theirs = described["weights"]["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidDataError(
            f"the {_DESCRIPTION} of the weights to start from cannot be read: {error!r}", remedy=_FROM_ELSEWHERE
        ) from error
    return described if is_theirs else None
