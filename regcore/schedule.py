"""How a learning rate or a strength changes over a run: a factor of its base value at each step.

Every kind may warm up: over the first `warmup_epochs` the factor also rises linearly from 0 to 1.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from regcore.frozen import Frozen


@dataclass(frozen=True)
class Moment:
    """Where a run stands when a step is taken.

    Attributes:
        step: Optimizer steps already taken, from 0.
        steps_per_epoch: Optimizer steps in an epoch.
        num_steps: Optimizer steps in the whole run.
    """

    step: int
    steps_per_epoch: int
    num_steps: int

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return self.step // self.steps_per_epoch


class _Schedule(Frozen):
    warmup_epochs: float = Field(default=0.0, ge=0)
    """Epochs over which the factor rises linearly to its full value; the first step is already above 0."""

    def factor(self, moment: Moment) -> float:
        """The factor of the base value at this step."""
        warmup_steps = self.warmup_epochs * moment.steps_per_epoch
        rise = min(1.0, (moment.step + 1) / warmup_steps) if warmup_steps else 1.0
        return rise * self.shape(moment, warmup_steps)

    def shape(self, moment: Moment, warmup_steps: float) -> float:
        """The factor but for warm-up."""
        raise NotImplementedError


class ConstantSchedule(_Schedule):
    """Always the base value."""

    kind: Literal["constant"] = "constant"

    def shape(self, moment: Moment, warmup_steps: float) -> float:
        return 1.0


class CosineSchedule(_Schedule):
    """Half a cosine from the base value to `final_factor` of it (Loshchilov & Hutter 2017, SGDR, without restarts)."""

    kind: Literal["cosine"] = "cosine"
    final_factor: float = Field(default=0.0, ge=0)
    """Share of the base value that is left at the end."""

    def shape(self, moment: Moment, warmup_steps: float) -> float:
        done = (moment.step - warmup_steps) / max(1.0, moment.num_steps - warmup_steps)
        cosine = (1 + math.cos(math.pi * min(1.0, max(0.0, done)))) / 2
        return self.final_factor + (1 - self.final_factor) * cosine


class StepSchedule(_Schedule):
    """Multiplied by `gamma` after every `every_epochs` epochs."""

    kind: Literal["step"] = "step"
    every_epochs: int = Field(default=10, ge=1)
    """Epochs between two changes."""
    gamma: float = Field(default=0.1, gt=0)
    """What the value is multiplied by at each change."""

    def shape(self, moment: Moment, warmup_steps: float) -> float:
        return self.gamma ** (moment.epoch // self.every_epochs)


Schedule = Annotated[ConstantSchedule | CosineSchedule | StepSchedule, Field(discriminator="kind")]
