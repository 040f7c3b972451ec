"""How a learning rate or a strength changes over a run: a factor of its base value at each step.

Every kind may warm up: over `warmup_epochs` the factor rises in equal parts, and the last of these steps has all of it.
"""

import math
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from regcore.at import At
from regcore.doubts import Doubt, RunShape
from regcore.frozen import Frozen

MAX_EPOCHS = 10**15
"""Above this a count exceeds a float. A server's ceilings are far lower."""
_NOTHING: Final = 1e-9
"""A share of a rate too small to move a float32 weight, whose relative precision is 6e-8."""
_MOST_STEPS_LOOKED_AT: Final = 1000


class _Schedule(Frozen):
    has_shape: ClassVar[bool] = True
    """Whether the factor changes after warm-up."""
    growth_field: ClassVar[str | None] = None
    """The field that can raise the factor above 1, if there is one."""
    follows_length: ClassVar[bool] = False
    """Whether the first epochs change with the number of epochs."""

    warmup_epochs: float = Field(default=0.0, ge=0)
    """Epochs over which the factor rises linearly to its full value; the first step is already above 0."""

    @property
    def is_constant(self) -> bool:
        """Whether every step has the base value."""
        return not self.has_shape and self.warmup_epochs == 0

    def factor(self, at: At) -> float:
        """The factor of the base value at this step: min(1, (step + 1) / warm-up steps) · shape."""
        warmup_steps = self._warmup_steps(at.steps_per_epoch)
        rise = min(1.0, (at.step + 1) / warmup_steps) if warmup_steps else 1.0
        return rise * self.shape(at, warmup_steps)

    def shape(self, at: At, warmup_steps: float) -> float:
        """The factor without warm-up; infinite if a float cannot hold it."""
        raise NotImplementedError

    def peak(self, run: RunShape) -> float:
        """The largest factor of any step of a run."""
        return max(self.factor(_place(run, step)) for step in self.turning_steps(run))

    def last(self, run: RunShape) -> float:
        """The factor of the last step of a run."""
        return self.factor(_place(run, run.num_steps - 1))

    def turning_steps(self, run: RunShape) -> set[int]:
        """Steps of a run, one of which has the largest factor."""
        warmup_steps = min(self._warmup_steps(run.steps_per_epoch), run.num_steps)
        steps = {run.num_steps - 1, *self._turns(run, warmup_steps)}
        return {min(max(step, 0), run.num_steps - 1) for step in steps}

    def doubts(self, run: RunShape, what: str) -> Iterator[Doubt]:
        """What is doubtful about this schedule of a rate or a strength."""
        if self.warmup_epochs > run.num_epochs:
            percent = 100 * run.num_epochs / self.warmup_epochs
            yield Doubt(
                "/warmup_epochs",
                "warmup_outlasts_run",
                f"a warm-up of {self.warmup_epochs:g} epochs reaches {percent:.3g} % of the {what} in a run of "
                f"{run.num_epochs}.",
                f"Lower warmup_epochs below training.epochs ({run.num_epochs}), or train longer.",
            )
        elif self.has_shape and self._warmup_steps(run.steps_per_epoch) >= run.num_steps:
            yield Doubt(
                "/warmup_epochs",
                "warmup_fills_run",
                f"a warm-up of {self.warmup_epochs:g} epochs ends with the last step of a run of {run.num_epochs}: "
                f"none is left for the {what} to change in after it.",
                f"Lower warmup_epochs below training.epochs ({run.num_epochs}), or train longer.",
            )

    def _warmup_steps(self, steps_per_epoch: int) -> float:
        return min(self.warmup_epochs * steps_per_epoch, sys.float_info.max)

    def _turns(self, run: RunShape, warmup_steps: float) -> Iterator[int]:
        """Steps that may have the largest factor, apart from the last one."""
        yield math.ceil(warmup_steps) - 1
        yield math.floor(warmup_steps) - 1


class ConstantSchedule(_Schedule):
    """Always the base value."""

    has_shape: ClassVar[bool] = False

    kind: Literal["constant"] = "constant"

    def shape(self, at: At, warmup_steps: float) -> float:
        return 1.0


class CosineSchedule(_Schedule):
    """Half a cosine from the base value, at the first step or the last of warm-up, down to the last step's value.

    The last value is `final_factor` of the base value. A run of one step, and one that warm-up fills, end with the base
    value, because no step is left for the fall.

    Source: Loshchilov & Hutter 2017, SGDR, without restarts.
    """

    growth_field: ClassVar[str | None] = "final_factor"
    follows_length: ClassVar[bool] = True

    kind: Literal["cosine"] = "cosine"
    final_factor: float = Field(default=0.0, ge=0)
    """Share of the base value at the last step, if it comes after warm-up."""

    def shape(self, at: At, warmup_steps: float) -> float:
        first = max(0.0, warmup_steps - 1)
        length = at.num_steps - 1 - first
        done = min(1.0, max(0.0, (at.step - first) / length)) if length > 0 else 0.0
        cosine = (1 + math.cos(math.pi * done)) / 2
        return self.final_factor * (1 - cosine) + cosine


class StepSchedule(_Schedule):
    """Multiplied by `gamma` after every `every_epochs` epochs."""

    growth_field: ClassVar[str | None] = "gamma"

    kind: Literal["step"] = "step"
    every_epochs: int = Field(default=10, ge=1, le=MAX_EPOCHS)
    """Epochs between two changes."""
    gamma: float = Field(default=0.1, gt=0)
    """What the value is multiplied by at each change."""

    def shape(self, at: At, warmup_steps: float) -> float:
        try:
            return self.gamma ** (at.epoch // self.every_epochs)
        except OverflowError:
            return math.inf

    def doubts(self, run: RunShape, what: str) -> Iterator[Doubt]:
        yield from super().doubts(run, what)
        if self.every_epochs >= run.num_epochs:
            yield Doubt(
                "/every_epochs",
                "never_steps",
                f"a step after every {self.every_epochs} epochs is never taken in a run of {run.num_epochs}: the "
                f"{what} stays as it is.",
                f"Lower every_epochs below training.epochs ({run.num_epochs}), or leave the schedule out.",
            )
        if self.gamma < 1:
            num_changes = math.floor(math.log(_NOTHING) / math.log(self.gamma)) + 1
            if num_changes * self.every_epochs < run.num_epochs:
                yield Doubt(
                    "/gamma",
                    "schedule_vanishes",
                    f"after {num_changes * self.every_epochs} of {run.num_epochs} epochs less than {_NOTHING:g} of the "
                    f"{what} is left, and later epochs do nothing.",
                    "Raise gamma or every_epochs.",
                )

    def _turns(self, run: RunShape, warmup_steps: float) -> Iterator[int]:
        yield from super()._turns(run, warmup_steps)
        # During warm-up, k intervals reach k · gammaᵏ⁻¹ of the first one's factor, which is largest at k = −1 / ln
        # gamma.
        if self.gamma < 1:
            interval = self.every_epochs * run.steps_per_epoch
            best = min(-1 / math.log(self.gamma), warmup_steps / interval)
            yield from (math.floor(best) * interval - 1, math.ceil(best) * interval - 1)


Schedule = Annotated[ConstantSchedule | CosineSchedule | StepSchedule, Field(discriminator="kind")]


def joint_peak(run: RunShape, schedules: Sequence[Schedule]) -> float:
    """The largest product of their factors at any step of a run.

    If two schedules vary in a run of more than a thousand steps, only about a thousand evenly spaced steps and the
    turning points are checked.
    """
    if sum(one != ConstantSchedule() for one in schedules) < 2:
        return math.prod(one.peak(run) for one in schedules)
    stride = math.ceil(run.num_steps / _MOST_STEPS_LOOKED_AT)
    steps = set(range(0, run.num_steps, stride)).union(*(one.turning_steps(run) for one in schedules))
    return max(math.prod(one.factor(_place(run, step)) for one in schedules) for step in steps)


def _place(run: RunShape, step: int) -> At:
    return At(step, run.steps_per_epoch, run.num_steps)
