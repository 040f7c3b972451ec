"""Noise behind a sound, at a signal-to-noise ratio that is drawn for each.

Rows are natural logarithms of the power in mel bands, so noise is added where powers add: log(eˣ + n). The noise is a
hiss as loud in every band: its power in a band and step is exponentially distributed, as that of one bin of a spectrum
of white noise. It is scaled so that, over the steps of the row, the ratio of powers is the one that was drawn, to
rounding. The waveform is not needed: what adding the noise there would add besides is a product of sound and noise,
whose phases do not know each other, so that it is 0 on average.

Source: Hannun et al. 2014, Deep Speech: scaling up end-to-end speech recognition, §2.3, noise added to the sounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from regcore.at import At
from regcore.regularizers.augmentation import NOISE_RANK, in_use, not_sound, scaling_of, spread
from regcore.regularizers.base import Regularizer, Stronger, Surroundings
from regcore.regularizers.effect import Effect, Setting

if TYPE_CHECKING:
    from regcore.data.rows import Batch


class AudioNoise(Regularizer):
    """log(eˣ + n)."""

    summary: ClassVar[str] = "While training, adds noise to the power of each sound, at a random signal-to-noise ratio."
    formula: ClassVar[str] = (
        "with probability p: x ← log(eˣ + n),  n ~ Exp, Σeˣ/Σn = 10^(SNR/10),  SNR ~ U(min_snr_db, max_snr_db) for "
        "each row"
    )
    source: ClassVar[str] = "Hannun et al. 2014, §2.3"
    example: ClassVar[dict[str, Any]] = {"kind": "audio_noise", "min_snr_db": 10.0, "max_snr_db": 30.0}
    example_model: ClassVar[dict[str, Any]] = {"kind": "cnn", "channels": [8]}
    example_data: ClassVar[dict[str, Any]] = {"kind": "builtin", "name": "tiny-speech"}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"p", "min_snr_db", "max_snr_db"})
    twice: ClassVar[str | None] = "Two of them add the noise of both."
    stronger: ClassVar[Stronger] = {"p": "larger", "min_snr_db": "smaller", "max_snr_db": "smaller"}

    kind: Literal["audio_noise"] = "audio_noise"
    p: float = Field(default=1.0, ge=0, le=1)
    """How likely a row gets noise."""
    min_snr_db: float = Field(default=10.0, ge=-60, le=200)
    """The least ratio of the sound's power to the noise's, in decibels: the loudest noise."""
    max_snr_db: float = Field(default=30.0, ge=-60, le=200)
    """The largest."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.min_snr_db > self.max_snr_db:
            raise ValueError(
                f"min_snr_db must be at most max_snr_db; received {self.min_snr_db:g} and {self.max_snr_db:g}. "
                "Exchange them"
            )
        return self

    def needs(self, job: Surroundings) -> str | None:
        return not_sound(self.kind, job.row)

    @classmethod
    def bind(cls, members: Sequence[AudioNoise], setting: Setting) -> Effect:
        return _AudioNoiseEffect(members, setting)


class _AudioNoiseEffect(Effect):
    members: Sequence[AudioNoise]
    ranks: ClassVar[Mapping[str, int]] = {"on_batch": NOISE_RANK}

    def setup(self) -> None:
        self._scaling = scaling_of(self.setting)

    def on_batch(self, batch: Batch, at: At) -> Batch:
        import torch

        x, name = spread(batch.x, len(self.members)), self.setting.name
        num_rows = x.shape[1]
        decided, place = at.uniform((num_rows, 2), x, name).unbind(2)
        least, most = (place.new_tensor(self.each(end)).unsqueeze(1) for end in ("min_snr_db", "max_snr_db"))
        snr_db = least + (most - least) * place
        bits = at.integers(math.prod(x.shape[1:]), x, name, "noise").view(x.shape)
        noise = bits.to(x.dtype).mul_(2.0**-32).add_(0.5 + 2.0**-24).clamp_(max=1.0).log_().neg_()
        mean, std = (0.0, 1.0) if self._scaling is None else (part[: x.shape[2]] for part in self._scaling)
        logs = x * std + mean
        powers, used = logs.exp(), in_use(batch)
        if used is not None:
            powers, noise = powers * used.unsqueeze(3), noise * used.unsqueeze(3)
        ratio = powers.sum((2, 3)) / noise.sum((2, 3)) * (10 ** (-snr_db / 10)).to(x.dtype)
        noisy = torch.logaddexp(logs, (noise * ratio[..., None, None]).log_())
        takes = (decided < place.new_tensor(self.each("p")).unsqueeze(1))[..., None, None]
        return batch.having(
            x=torch.where(takes if used is None else takes & used.unsqueeze(3), (noisy - mean) / std, x)
        )
