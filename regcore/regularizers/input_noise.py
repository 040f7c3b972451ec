"""Noise on the inputs: every number of a row is moved a little.

Its unit is that of the network's inputs: where rows are standardized, as those of tables are, 1 is the standard
deviation of a column over the train rows. For a linear model with `half_mse` it has, on average, the effect of `l2` of
strength std².

Source: Bishop 1995, Training with noise is equivalent to Tikhonov regularization.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.at import At
from regcore.regularizers.augmentation import NOISE_RANK, in_use, not_numbers, over_steps
from regcore.regularizers.base import Regularizer, Stronger, Surroundings
from regcore.regularizers.effect import Effect, Setting

if TYPE_CHECKING:
    from regcore.data.rows import Batch


class InputNoise(Regularizer):
    """x + ε."""

    summary: ClassVar[str] = "While training, adds Gaussian noise to every number of a row."
    formula: ClassVar[str] = "x ← x + ε,  ε ~ N(0, std²), anew in every step; padding stays as it is"
    source: ClassVar[str] = "Bishop 1995"
    example: ClassVar[dict[str, Any]] = {"kind": "input_noise", "std": 0.1}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"std"})
    twice: ClassVar[str | None] = "Two of them add the noise of one whose std is the root of the sum of their squares."
    stronger: ClassVar[Stronger] = {"std": "larger"}

    kind: Literal["input_noise"] = "input_noise"
    std: float = Field(ge=0, le=1e6)
    """Standard deviation of the noise, in the unit of the network's inputs."""

    def needs(self, job: Surroundings) -> str | None:
        return not_numbers(self.kind, job.row)

    @classmethod
    def bind(cls, members: Sequence[InputNoise], setting: Setting) -> Effect:
        return _InputNoiseEffect(members, setting)


class _InputNoiseEffect(Effect):
    members: Sequence[InputNoise]
    ranks: ClassVar[Mapping[str, int]] = {"on_batch": NOISE_RANK}

    def on_batch(self, batch: Batch, at: At) -> Batch:
        x = batch.x
        noise = at.normal(x.shape[1:], x, self.setting.name)
        noise *= self.column("std", noise)
        used = in_use(batch)
        if used is not None:
            noise *= over_steps(used, noise)
        return batch.having(x=noise.add_(x))
