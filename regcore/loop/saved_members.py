"""Some members of a saved pass, as if the pass had been theirs alone."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from regcore.checkpoint import State
from regcore.loop.stack import bind_effects
from regcore.plan import Plan


def select_saved(state: State, plans: Sequence[Plan], positions: Sequence[int]) -> State:
    """The `Trainer.state` without the other members; only the parts of these members are read from disk.

    Args:
        state: The state of all members, as it was loaded.
        plans: The plans of all members; for those that are not selected, any compatible plan will do.
        positions: Places of the selected ones.
    """
    rows = torch.tensor(list(positions), dtype=torch.int64)
    effects = bind_effects(plans)
    for name, effect in effects.items():
        effect.load_state(state["effects"][name])
    per_member = {
        name: [state[name][position] for position in positions] for name in ("keys", "history", "selected_epochs")
    }
    return {
        **state,
        **per_member,
        **{name: _select_rows(state[name], rows) for name in ("weights", "kept", "update")},
        "effects": {name: effect.select(positions).state() for name, effect in effects.items()},
        "objective": state["objective"].index_select(1, rows),
    }


def _select_rows(node: Any, rows: Tensor) -> Any:
    """A tree of tensors (K, ...) with these rows of each."""
    if isinstance(node, Tensor):
        return node.index_select(0, rows)
    return {name: _select_rows(inner, rows) for name, inner in node.items()}
