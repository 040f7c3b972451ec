"""What one forward pass gives, and what a step's gradient is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Pass:
    """What one forward pass over a batch gives.

    Attributes:
        outputs: (K, B, ...).
        losses: The data loss of each row, (K, B).
        terms: What regularizers add to it, by their names in the plan, each (K, B).
        buffers: The network's buffers as they are to be after the step, by name.
        watched: The outputs of layers that a regularizer asked for, by label.
        watched_lengths: How much of each row of these is in use, (K, B) or (1, B), for those whose rows vary.
    """

    outputs: Tensor
    losses: Tensor
    terms: Mapping[str, Tensor] = field(default_factory=dict)
    buffers: Mapping[str, Tensor] = field(default_factory=dict)
    watched: Mapping[str, Tensor] = field(default_factory=dict)
    watched_lengths: Mapping[str, Tensor] = field(default_factory=dict)

    def plus(self, name: str, term: Tensor) -> Pass:
        """The same with one more term, (K, B)."""
        return replace(self, terms={**self.terms, name: term})


@dataclass(frozen=True, eq=False)
class Slope:
    """The mean objective over a step's rows, and its gradient.

    Attributes:
        gradients: By the learned tensor's name, each (K, ...); the caller may change them.
        losses: `data` and each term by its name, (K,).
        buffers: As the last pass left them.
    """

    gradients: dict[str, Tensor]
    losses: Mapping[str, Tensor]
    buffers: Mapping[str, Tensor]
