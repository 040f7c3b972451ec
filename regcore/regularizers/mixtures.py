"""Mixtures of two rows of a batch and of their targets: who is mixed with whom, and in which proportion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from regcore.doubts import Doubt, RunShape

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

MAX_ALPHA: Final = 1e6


@dataclass(frozen=True, eq=False)
class Mixture:
    """What the members mix.

    Attributes:
        shares: λ, how much of each row is its own; one for each member.
        partners: The row that each is mixed with, (K, B).
        streams: Each member's stream, for what else is drawn.
    """

    shares: Sequence[float]
    partners: Tensor
    streams: Sequence[np.random.Generator]

    def others(self, values: Tensor) -> Tensor:
        """What the partners have; (K, B, ...), a copy."""
        num_members, num_rows = self.partners.shape
        starts = self.partners.new_tensor(range(num_members)).unsqueeze(1) * num_rows
        return values.flatten(0, 1).index_select(0, (self.partners + starts).flatten()).view_as(values)

    def mixed(self, values: Tensor, shares: Sequence[float] | None = None) -> Tensor:
        """λ·v + (1 − λ)·v′ for each member, (K, B, ...); with other λ, if they are given."""
        own = values.new_tensor(self.shares if shares is None else shares)
        return self.others(values).lerp_(values, own.view(-1, *[1] * (values.dim() - 1)))


def draw_mixture(alphas: Sequence[float], x: Tensor, seeds: Sequence[int]) -> Mixture:
    """Each member's λ ~ Beta(α, α), and the rows of x, (K, B, ...), in another order.

    Args:
        alphas: One for each member; at 0 nothing is mixed.
        x: The rows.
        seeds: Of each member's stream.
    """
    import numpy as np
    import torch

    streams = [np.random.Generator(np.random.PCG64(seed)) for seed in seeds]
    shares, partners = [], []
    for alpha, stream in zip(alphas, streams, strict=True):
        shares.append(float(stream.beta(alpha, alpha)) if alpha > 0 else 1.0)
        partners.append(stream.permutation(x.shape[1]))
    return Mixture(shares, torch.from_numpy(np.stack(partners)).to(x.device), streams)


def doubts_of_mixtures(kind: str, run: RunShape) -> Iterator[Doubt]:
    """What is doubtful about mixing rows in such a run."""
    others = {other.kind for other in run.regularizers}
    if "knowledge_distillation" in others:
        yield Doubt(
            "",
            f"{kind}_with_distillation",
            "the teacher is asked about mixtures of rows, such as it may never have seen, and its answers are not "
            "the mixtures of its answers about the rows.",
            f"Keep one of them, or have a teacher that was trained with {kind}.",
        )
    if kind == "cutmix" and "mixup" in others:
        yield Doubt(
            "",
            "cutmix_with_mixup",
            "mixup and cutmix together make mixtures of mixtures, of up to four rows.",
            "Keep one of them.",
        )
