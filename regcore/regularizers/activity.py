"""A penalty on the outputs of layers: sparse or small activations.

Source: Glorot, Bordes & Bengio 2011, Deep sparse rectifier neural networks, §3.3; as Keras's `activity_regularizer`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.at import At
from regcore.errors import shortened
from regcore.kinds import kinds_of
from regcore.layers import Layer
from regcore.optim.base import MAX_STRENGTH
from regcore.regularizers.base import Regularizer, Stronger, Surroundings
from regcore.regularizers.effect import Effect, Setting

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.data.rows import Batch
    from regcore.passes import Pass
    from regcore.regularizers.effect import Compute


class Activity(Regularizer):
    """λ‖h‖₁ or λ‖h‖²."""

    summary: ClassVar[str] = "Adds λ times the size of activations to the objective, as the mean over the rows."
    formula: ClassVar[str] = (
        "λ/B · Σ_rows Σ_layers ‖h‖₁, or ‖h‖² without a half, as Keras has it; steps that a sequence does not use are "
        "left out"
    )
    source: ClassVar[str] = "Glorot, Bordes & Bengio 2011, §3.3; Keras's activity_regularizer"
    example: ClassVar[dict[str, Any]] = {"kind": "activity", "strength": 1e-3}
    adds_to_objective: ClassVar[bool] = True
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"strength"})
    stronger: ClassVar[Stronger] = {"strength": "larger"}

    kind: Literal["activity"] = "activity"
    strength: float = Field(ge=0, le=MAX_STRENGTH)
    """λ."""
    norm: Literal["l1", "l2"] = "l1"
    """`l1`: the sum of absolute values, for sparse activations; `l2`: the sum of squares."""
    layers: list[str] | None = Field(default=None, min_length=1, max_length=1000)
    """Labels of the layers whose outputs count; null for every hidden activation and recurrent layer."""

    def needs(self, job: Surroundings) -> str | None:
        if not job.layers:  # the model is wrong, which is said elsewhere
            return None
        if not any(job.layers):  # the only one has no label
            return (
                "activity acts on outputs of layers, and this model is opaque; leave it out, or write layers instead."
            )
        known = shortened(", ".join(job.layers), 300)
        unknown = [label for label in self.layers or () if label not in job.layers]
        if unknown:
            return f"layers must name layers of {known}; received {shortened(', '.join(unknown), 200)}, not among them."
        if not self.watched(job.layers):
            return f"activity acts on hidden units, and the model has none; name some of {known} in layers."
        return None

    def watched(self, layers: Mapping[str, str]) -> frozenset[str]:
        """The labels of the layers whose outputs count."""
        if self.layers is not None:
            return frozenset(self.layers)
        kinds = kinds_of(Layer)
        return frozenset(label for label, kind in layers.items() if kinds[kind].gives_hidden_units)

    @classmethod
    def bind(cls, members: Sequence[Activity], setting: Setting) -> Effect:
        return _ActivityEffect(members, setting)


class _ActivityEffect(Effect):
    members: Sequence[Activity]
    ranks: ClassVar[Mapping[str, int]] = {"loss": 10}

    def setup(self) -> None:
        self._watched = self.members[0].watched(self.setting.layers)

    @property
    def watched_layers(self) -> frozenset[str]:
        return self._watched

    def loss(self, compute: Compute, batch: Batch, at: At) -> Pass:
        found = compute(batch, at)
        sizes = [self._size(found, label) for label in sorted(self._watched)]
        total = sum(sizes[1:], sizes[0]).expand_as(found.losses)
        return found.plus(self.setting.name, total * self.column("strength", total))

    def _size(self, found: Pass, label: str) -> Tensor:
        """The size of one layer's outputs for each row, (K, B), or (1, B) where members do not differ."""
        import torch

        outputs = found.watched[label].to(found.losses.dtype)
        values = outputs.abs() if self.members[0].norm == "l1" else outputs.square()
        lengths = found.watched_lengths.get(label)
        if lengths is None:
            return values.flatten(2).sum(2)
        steps = values.flatten(3).sum(3) if values.dim() > 3 else values
        places = torch.arange(steps.shape[2], dtype=torch.int64, device=steps.device)
        return torch.where(places < lengths.unsqueeze(2), steps, 0).sum(2)
