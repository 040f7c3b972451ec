"""Shifts in time: each sound begins a little earlier or later.

What leaves a row at one of its ends comes back at the other, within the row's length: nothing is lost, and padding
stays behind the end.

Source: Ko et al. 2015, Audio augmentation for speech recognition; the shift with rollover as in torch-audiomentations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.at import At
from regcore.regularizers.augmentation import PLACES_RANK, in_use, not_sound, spread
from regcore.regularizers.base import Regularizer, Stronger, Surroundings
from regcore.regularizers.effect import Effect, Setting

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.data.rows import Batch


class TimeShift(Regularizer):
    """x_{(t + s) mod τ} ← x_t."""

    summary: ClassVar[str] = (
        "While training, moves each sound in time; what leaves it at one end comes back at the other."
    )
    formula: ClassVar[str] = (
        "x_{(t + s) mod τ} ← x_t,  s = round(u·τ),  u ~ U(−max_shift, max_shift),  τ steps of the row"
    )
    source: ClassVar[str] = "Ko et al. 2015; with rollover as in torch-audiomentations"
    example: ClassVar[dict[str, Any]] = {"kind": "time_shift", "max_shift": 0.1}
    example_model: ClassVar[dict[str, Any]] = {"kind": "cnn", "channels": [8]}
    example_data: ClassVar[dict[str, Any]] = {"kind": "builtin", "name": "tiny-speech"}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"max_shift"})
    twice: ClassVar[str | None] = "Two of them shift by up to the sum of both."
    stronger: ClassVar[Stronger] = {"max_shift": "larger"}

    kind: Literal["time_shift"] = "time_shift"
    max_shift: float = Field(default=0.1, ge=0, le=0.5)
    """The largest shift in either direction, as a share of the row's own length."""

    def needs(self, job: Surroundings) -> str | None:
        return not_sound(self.kind, job.row)

    @classmethod
    def bind(cls, members: Sequence[TimeShift], setting: Setting) -> Effect:
        return _TimeShiftEffect(members, setting)


class _TimeShiftEffect(Effect):
    members: Sequence[TimeShift]
    ranks: ClassVar[Mapping[str, int]] = {"on_batch": PLACES_RANK}

    def on_batch(self, batch: Batch, at: At) -> Batch:
        import torch

        num_rows, num_steps = batch.x.shape[1:3]
        drawn = at.uniform((num_rows, 1), batch.x, self.setting.name)
        lengths = torch.full_like(drawn, num_steps) if batch.lengths is None else batch.lengths.unsqueeze(2)
        shifts = ((2 * drawn - 1) * self.column("max_shift", drawn) * lengths).round()
        steps = torch.arange(num_steps, dtype=torch.int64, device=drawn.device)
        sources = (steps - shifts).remainder(lengths).long()
        used = in_use(batch)
        if used is not None:
            sources = torch.where(used, sources, steps)
        moved = self._moved(batch.x, sources)
        if not self.setting.task.gives_rows:
            return batch.having(x=moved)
        return batch.having(x=moved, y=moved if batch.y is batch.x else self._moved(batch.y, sources))

    def _moved(self, x: Tensor, sources: Tensor) -> Tensor:
        x = spread(x, len(self.members))
        return x.gather(2, sources.unsqueeze(3).expand(-1, -1, -1, x.shape[3]))
