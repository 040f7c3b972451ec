"""Label smoothing: targets are moved towards the uniform distribution, so that no logit is pulled to infinity.

Only what the optimizer sees is smoothed: metrics and losses of every split, `train/loss` too, are of the true labels.

Source: Szegedy et al. 2016, Rethinking the Inception architecture for computer vision, §7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.at import At
from regcore.regularizers.base import Regularizer, Stronger, Surroundings
from regcore.regularizers.effect import Effect, Setting

if TYPE_CHECKING:
    from regcore.data.rows import Batch


class LabelSmoothing(Regularizer):
    """(1 − ε)·y + ε/C."""

    summary: ClassVar[str] = "While training, targets get (1 − ε) of their class and ε spread over all classes."
    formula: ClassVar[str] = "y ← (1 − ε)·y + ε/C, over C classes: the loss is (1 − ε)·CE + ε·CE(uniform)"
    source: ClassVar[str] = "Szegedy et al. 2016, §7"
    example: ClassVar[dict[str, Any]] = {"kind": "label_smoothing", "epsilon": 0.1}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"epsilon"})
    twice: ClassVar[str | None] = (
        "Two label smoothings act one after the other: together they smooth more than either says."
    )
    stronger: ClassVar[Stronger] = {"epsilon": "larger"}

    kind: Literal["label_smoothing"] = "label_smoothing"
    epsilon: float = Field(ge=0, le=1)
    """ε, the share of the uniform distribution; at 1 nothing is left of the targets."""

    def needs(self, job: Surroundings) -> str | None:
        if not job.task.has_classes:
            return f"label_smoothing needs classes to spread over, and this task is {job.task.kind}; leave it out."
        return None

    @classmethod
    def bind(cls, members: Sequence[LabelSmoothing], setting: Setting) -> Effect:
        return _LabelSmoothingEffect(members, setting)


class _LabelSmoothingEffect(Effect):
    members: Sequence[LabelSmoothing]
    ranks: ClassVar[Mapping[str, int]] = {"on_batch": 20}

    def on_batch(self, batch: Batch, at: At) -> Batch:
        task = self.setting.task
        soft = task.soft(batch.y)
        epsilon = self.column("epsilon", soft)
        return batch.having(y=soft * (1 - epsilon) + epsilon / task.num_classes)
