"""R-Drop: two passes over the same rows, with other masks, are to say the same.

The data loss is the mean of both passes', so that `objective/data` means what it means without it (the paper's sum is
twice that); buffers are as the first pass leaves them.

Source: Liang et al. 2021, R-Drop: regularized dropout for neural networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.at import At
from regcore.doubts import Doubt, RunShape
from regcore.optim.base import MAX_STRENGTH
from regcore.regularizers.base import Regularizer, Stronger, Surroundings
from regcore.regularizers.effect import Effect, Setting

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.data.rows import Batch
    from regcore.passes import Pass
    from regcore.regularizers.effect import Compute


class RDrop(Regularizer):
    """Symmetric divergence of two passes."""

    summary: ClassVar[str] = "Computes each batch twice with other masks, and adds how far the two predictions differ."
    formula: ClassVar[str] = (
        "½(CE(p₁) + CE(p₂)) + λ·½(KL(p₁‖p₂) + KL(p₂‖p₁)): sums over the classes, means over the rows"
    )
    source: ClassVar[str] = "Liang et al. 2021"
    example: ClassVar[dict[str, Any]] = {"kind": "r_drop", "strength": 1.0}
    example_model: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [
            {"kind": "linear", "features": 32},
            {"kind": "activation"},
            {"kind": "dropout", "p": 0.3},
            {"kind": "linear"},
        ],
    }
    adds_to_objective: ClassVar[bool] = True
    only_once: ClassVar[bool] = True
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"strength"})
    stronger: ClassVar[Stronger] = {"strength": "larger"}

    kind: Literal["r_drop"] = "r_drop"
    strength: float = Field(ge=0, le=MAX_STRENGTH)
    """λ, the paper's α for the mean of both losses."""

    def needs(self, job: Surroundings) -> str | None:
        if not job.task.has_classes:
            return f"r_drop compares the probabilities of classes, and this task is {job.task.kind}; leave it out."
        return None

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        if not run.is_random:
            yield Doubt(
                "",
                "nothing_random",
                "nothing in this network is random, so both passes say the same: the penalty is 0 at twice the cost.",
                "Add dropout, or leave r_drop out.",
            )

    @classmethod
    def bind(cls, members: Sequence[RDrop], setting: Setting) -> Effect:
        return _RDropEffect(members, setting)


class _RDropEffect(Effect):
    members: Sequence[RDrop]
    ranks: ClassVar[Mapping[str, int]] = {"loss": 20}

    def loss(self, compute: Compute, batch: Batch, at: At) -> Pass:
        a, b = compute(batch, at), compute(batch, at.again(self.setting.name))
        terms = {name: (term + b.terms[name]) / 2 for name, term in a.terms.items()}
        both = replace(a, losses=(a.losses + b.losses) / 2, terms=terms)
        divergence = symmetric_divergence(a.outputs, b.outputs)
        return both.plus(self.setting.name, divergence * self.column("strength", divergence))


def symmetric_divergence(a: Tensor, b: Tensor) -> Tensor:
    """½(KL(p‖q) + KL(q‖p)) of the distributions that two tensors of logits stand for.

    It is ½ Σ (p − q)(a − b), because the sum of p − q is 0, and so the normalizers of the logits cancel.

    Args:
        a: (K, B, classes), or (K, B, 1) where a single logit stands for two classes.
        b: The same.

    Returns:
        (K, B).
    """
    p, q = (a.softmax(-1), b.softmax(-1)) if a.shape[-1] > 1 else (a.sigmoid(), b.sigmoid())
    return ((p - q) * (a - b)).sum(-1) / 2
