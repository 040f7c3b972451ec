"""Trees of stacked tensors: all that a run remembers, {name: tensor (K, ...) or tree}.

Each thing that is done to all of it is one function: select members, copy into it, count its bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, Union

if TYPE_CHECKING:
    from torch import Tensor, device

Tree: TypeAlias = dict[str, Union["Tensor", "Tree"]]


def select(tree: Mapping[str, Any], positions: Sequence[int]) -> Tree:
    """Copies of some of the members: of these positions, in this order."""
    import torch

    rows = torch.tensor(list(positions), dtype=torch.int64)

    def of(node: Any) -> Any:
        if isinstance(node, torch.Tensor):
            return node.detach().index_select(0, rows.to(node.device))
        return {name: of(inner) for name, inner in node.items()}

    selected: Tree = of(tree)
    return selected


def copied(tree: Mapping[str, Any], device: device) -> Tree:
    """A copy on a device, in memory that torch has laid.

    Where memory begins decides how a matrix product is summed, and so the last bits; a tensor that is mapped from a
    file begins anywhere.
    """
    copies: Tree = {
        name: copied(node, device) if isinstance(node, Mapping) else node.to(device, copy=True)
        for name, node in tree.items()
    }
    return copies


def put_(tree: Mapping[str, Any], values: Mapping[str, Any], positions: Sequence[int]) -> None:
    """Copy some members of another tree of the same names and shapes into this one, in place."""
    for name, node in tree.items():
        if isinstance(node, Mapping):
            put_(node, values[name], positions)
        else:
            node[list(positions)] = values[name].detach()[list(positions)]


def num_bytes(tree: Mapping[str, Any]) -> int:
    """The size of its tensors."""
    return sum(
        num_bytes(node) if isinstance(node, Mapping) else node.numel() * node.element_size() for node in tree.values()
    )
