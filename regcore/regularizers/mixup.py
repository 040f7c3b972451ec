"""Mixup: the network learns from mixtures of two rows and of their targets.

Only what the optimizer sees is mixed: every metric, `train/accuracy` too, is of the rows and targets as they are.

Source: Zhang et al. 2018, mixup: beyond empirical risk minimization.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.at import At
from regcore.doubts import Doubt, RunShape
from regcore.regularizers.augmentation import MIXTURES_RANK, spread
from regcore.regularizers.base import Regularizer, Stronger, Surroundings
from regcore.regularizers.effect import Effect, Setting
from regcore.regularizers.mixtures import MAX_ALPHA, doubts_of_mixtures, draw_mixture

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.data.rows import Batch


class Mixup(Regularizer):
    """λ·(x, y) + (1 − λ)·(x′, y′)."""

    summary: ClassVar[str] = "While training, mixes each row and its target with another one of the batch."
    formula: ClassVar[str] = (
        "x ← λx + (1 − λ)x′,  y ← λy + (1 − λ)y′,  λ ~ Beta(α, α) once for a batch,  (x′, y′) its rows in another order"
    )
    source: ClassVar[str] = "Zhang et al. 2018"
    example: ClassVar[dict[str, Any]] = {"kind": "mixup", "alpha": 0.2}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"alpha"})
    twice: ClassVar[str | None] = "Two mixups make mixtures of mixtures, of up to four rows."
    stronger: ClassVar[Stronger] = {"alpha": "larger"}

    kind: Literal["mixup"] = "mixup"
    alpha: float = Field(ge=0, le=MAX_ALPHA)
    """α of the Beta distribution: 0 mixes nothing, 1 in all proportions alike, more nearer to halves."""

    def needs(self, job: Surroundings) -> str | None:
        if job.row is not None and job.row.tokens is not None:
            return "mixup needs rows of numbers, and these are tokens, which have no mixtures; leave it out."
        return None

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        yield from doubts_of_mixtures(self.kind, run)

    @classmethod
    def bind(cls, members: Sequence[Mixup], setting: Setting) -> Effect:
        return _MixupEffect(members, setting)


class _MixupEffect(Effect):
    """Each member draws its proportion and its partners from its own stream."""

    members: Sequence[Mixup]
    ranks: ClassVar[Mapping[str, int]] = {"on_batch": MIXTURES_RANK}

    def on_batch(self, batch: Batch, at: At) -> Batch:
        import torch

        num_members = len(self.members)
        x, y = (spread(part, num_members) for part in (batch.x, self.setting.task.soft(batch.y)))
        mixture = draw_mixture(self.each("alpha"), x, at.streams(self.setting.name))
        lengths = batch.lengths
        if lengths is not None:
            lengths = lengths.expand(num_members, -1)
            x = _without_padding(x, lengths)  # what lies behind a row's end is not to reach its partner
            longest = torch.maximum(lengths, lengths.gather(1, mixture.partners))
            is_mixed = lengths.new_tensor([share < 1 for share in mixture.shares]).bool().unsqueeze(1)
            lengths = torch.where(is_mixed, longest, lengths)  # a row that is not mixed stays as long as it is
        return batch.having(x=mixture.mixed(x), y=mixture.mixed(y), lengths=lengths)


def _without_padding(x: Tensor, lengths: Tensor) -> Tensor:
    """Rows with zeros behind their ends; (K, B, steps, ...)."""
    import torch

    in_use = torch.arange(x.shape[2], dtype=torch.int64, device=x.device) < lengths.unsqueeze(2)
    return x * in_use.view(*in_use.shape, *[1] * (x.dim() - 3))
