"""SpecAugment: bands of frequencies and stretches of time of a spectrogram are hidden.

What is hidden takes the mean of the row's own numbers. In the paper this is 0, because its spectrograms are normalized
to mean 0. Masks of time lie within the row's length. Warping of time, the paper's costliest and least useful part, is
left out; `time_shift` moves sound in time.

Source: Park et al. 2019, SpecAugment: a simple data augmentation method for automatic speech recognition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from regcore.at import At
from regcore.regularizers.augmentation import MASKS_RANK, in_use, not_sound, spread, whole_numbers
from regcore.regularizers.base import Regularizer, Stronger, Surroundings
from regcore.regularizers.effect import Effect, Setting
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.data.rows import Batch


class SpecAugment(Regularizer):
    """Masks of frequency and of time."""

    summary: ClassVar[str] = "While training, hides bands of frequencies and stretches of time of each sound."
    formula: ClassVar[str] = (
        "x[:, f₀ : f₀ + f] ← mean(x),  f ~ U{0, …, F},  f₀ ~ U{0, …, ν − f};  x[t₀ : t₀ + t] ← mean(x),  "
        "t ~ U{0, …, min(T, p·τ)},  t₀ ~ U{0, …, τ − t};  ν bands, τ steps of the row"
    )
    source: ClassVar[str] = "Park et al. 2019, without warping of time"
    example: ClassVar[dict[str, Any]] = {"kind": "spec_augment", "freq_mask_param": 16, "p": 0.2}
    example_model: ClassVar[dict[str, Any]] = {"kind": "cnn", "channels": [8]}
    example_data: ClassVar[dict[str, Any]] = {"kind": "builtin", "name": "tiny-speech"}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"freq_mask_param", "time_mask_param", "p"})
    twice: ClassVar[str | None] = "Two of them have the masks of both, which may overlap."
    stronger: ClassVar[Stronger] = dict.fromkeys(
        ("freq_mask_param", "time_mask_param", "p", "num_freq_masks", "num_time_masks"), "larger"
    )

    kind: Literal["spec_augment"] = "spec_augment"
    freq_mask_param: int | None = Field(default=None, ge=0, le=10_000)
    """F, the most bands of a mask; null for a third of them. 0 hides none."""
    time_mask_param: int | None = Field(default=None, ge=0, le=1_000_000)
    """T, the most steps of a mask; null for a fifth of a row's most steps. 0 hides none."""
    p: float = Field(default=0.2, ge=0, le=1)
    """The largest share of a row's own length that a mask of time hides."""
    num_freq_masks: int = Field(default=1, ge=0, le=100)
    """Masks of frequency in each row."""
    num_time_masks: int = Field(default=1, ge=0, le=100)
    """Masks of time in each row."""

    def fitted(self, row: RowInfo) -> Self:
        if not_sound(self.kind, row):
            return self
        num_steps, num_bands = row.shape
        found = {"freq_mask_param": num_bands // 3, "time_mask_param": num_steps // 5}
        return self.model_copy(update={name: most for name, most in found.items() if getattr(self, name) is None})

    def needs(self, job: Surroundings) -> str | None:
        found = not_sound(self.kind, job.row)
        if found is None and job.row is not None and (self.freq_mask_param or 0) > job.row.shape[1]:
            return (
                f"spec_augment.freq_mask_param must be at most the {job.row.shape[1]} bands of a row; received "
                f"{self.freq_mask_param}. Lower it: a third of them is usual."
            )
        return found

    @classmethod
    def bind(cls, members: Sequence[SpecAugment], setting: Setting) -> Effect:
        return _SpecAugmentEffect(members, setting)


class _SpecAugmentEffect(Effect):
    members: Sequence[SpecAugment]
    ranks: ClassVar[Mapping[str, int]] = {"on_batch": MASKS_RANK}

    def on_batch(self, batch: Batch, at: At) -> Batch:
        import torch

        x = spread(batch.x, len(self.members))
        num_rows, num_steps, num_bands = x.shape[1:]
        fitted = [member.fitted(RowInfo((num_steps, num_bands))) for member in self.members]
        lead = fitted[0]
        num_masks = lead.num_freq_masks + lead.num_time_masks
        drawn = at.uniform((num_rows, num_masks, 2), x, self.setting.name)
        lengths = drawn.new_full((len(x), num_rows, 1), num_steps)
        used = in_use(batch)
        if used is not None:
            lengths = used.sum(2, keepdim=True).to(lengths).expand_as(lengths)
        bands, stretches = drawn[:, :, : lead.num_freq_masks], drawn[:, :, lead.num_freq_masks :]
        widest = drawn.new_tensor([[[member.freq_mask_param]] for member in fitted])
        longest = drawn.new_tensor([[[member.time_mask_param]] for member in fitted])
        longest = longest.minimum((lengths * drawn.new_tensor(self.each("p")).view(-1, 1, 1)).floor())
        is_hidden = _masks(bands, widest, torch.full_like(lengths, num_bands), num_bands).unsqueeze(2)
        is_hidden = is_hidden | _masks(stretches, longest, lengths, num_steps).unsqueeze(3)
        numbers = x
        if used is not None:
            numbers, is_hidden = x * used.unsqueeze(3), is_hidden & used.unsqueeze(3)
        mean = numbers.sum((2, 3)) / (lengths.squeeze(2) * num_bands).to(x.dtype)
        return batch.having(x=torch.where(is_hidden, mean[..., None, None], x))


def _masks(drawn: Tensor, widest: Tensor, lengths: Tensor, num_places: int) -> Tensor:
    """Which places of an axis any mask hides, (K, B, places).

    Args:
        drawn: In [0, 1), for the width and the start of each mask, (K, B, masks, 2).
        widest: The most places of a mask, (K, B or 1, 1).
        lengths: Of the axis, as far as it is in use, (K, B, 1).
        num_places: Of the axis.
    """
    import torch

    width = whole_numbers(drawn[..., 0], widest + 1)
    start = whole_numbers(drawn[..., 1], lengths - width + 1)
    places = torch.arange(num_places, dtype=torch.int64, device=drawn.device)
    hidden: Tensor = ((places >= start.unsqueeze(3)) & (places < (start + width).unsqueeze(3))).any(2)
    return hidden
