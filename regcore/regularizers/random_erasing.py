"""Random erasing: a rectangle of some images is overwritten.

Which rectangles is as in torchvision's `RandomErasing`: the area is uniform, the aspect ratio uniform in its logarithm,
and the place uniform among those where the rectangle lies inside.

Source: Zhong et al. 2020, Random erasing data augmentation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from regcore.at import At
from regcore.regularizers.augmentation import MASKS_RANK, boxes, not_images, scaling_of, whole_numbers
from regcore.regularizers.base import Regularizer, Stronger, Surroundings
from regcore.regularizers.effect import Effect, Setting

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.data.rows import Batch

_LEAST_AREA: Final = 0.02
_LEAST_ASPECT: Final = 0.3
"""Height over width; the largest is 1/0.3."""
_NUM_ATTEMPTS: Final = 10
"""Sizes that are drawn until one fits; if none does, the image stays as it is."""


class RandomErasing(Regularizer):
    """x ← noise inside a rectangle."""

    summary: ClassVar[str] = "While training, overwrites a rectangle of some images with noise."
    formula: ClassVar[str] = (
        "with probability p: x ← value in a rectangle of area ~ U(0.02, max_area) of the image and height/width "
        "~ exp U(log 0.3, log 1/0.3), uniform among the places where it lies inside"
    )
    source: ClassVar[str] = "Zhong et al. 2020; sizes as torchvision.transforms.v2.RandomErasing"
    example: ClassVar[dict[str, Any]] = {"kind": "random_erasing", "p": 0.5, "max_area": 0.2}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"p", "max_area"})
    twice: ClassVar[str | None] = "Two of them erase two rectangles of some images, which may overlap."
    stronger: ClassVar[Stronger] = {"p": "larger", "max_area": "larger"}

    kind: Literal["random_erasing"] = "random_erasing"
    p: float = Field(default=0.5, ge=0, le=1)
    """How likely an image gets a rectangle."""
    max_area: float = Field(default=0.4, ge=0, le=1)
    """The largest area of it, as a share of the image's; the smallest is 0.02, or this if it is less."""
    value: Literal["random", "zero"] = "random"
    """What is written: noise, uniform between black and white for each pixel and channel; or 0 as the network sees it,
    which is black in images in [0, 1], the mean of the train rows' pixels in standardized ones."""

    def needs(self, job: Surroundings) -> str | None:
        return not_images(self.kind, job.row)

    @classmethod
    def bind(cls, members: Sequence[RandomErasing], setting: Setting) -> Effect:
        return _RandomErasingEffect(members, setting)


class _RandomErasingEffect(Effect):
    members: Sequence[RandomErasing]
    ranks: ClassVar[Mapping[str, int]] = {"on_batch": MASKS_RANK}

    def setup(self) -> None:
        self._scaling = scaling_of(self.setting)

    def on_batch(self, batch: Batch, at: At) -> Batch:
        x, name = batch.x, self.setting.name
        num_rows, *row = x.shape[1:]
        erased = self._rectangles(row[1:], at.uniform((num_rows, 3 + 2 * _NUM_ATTEMPTS), x, name))
        if self.members[0].value == "zero":
            return batch.having(x=x.masked_fill(erased, 0.0))
        bits = at.integers(num_rows * math.prod(row), x, name, "value").view(-1, num_rows, *row)
        noise = bits.to(x.dtype).mul_(2.0**-32).add_(0.5)  # in [0, 1], as the pixels before they are standardized
        if self._scaling is not None:
            mean, std = self._scaling
            noise.sub_(mean).div_(std)
        return batch.having(x=noise.where(erased, x))

    def _rectangles(self, sides: Sequence[int], drawn: Tensor) -> Tensor:
        """Which pixels are erased, (K, B, 1, H, W)."""
        import torch

        height, width = sides
        decided, down, right = drawn[..., :3].unbind(-1)
        areas, aspects = drawn[..., 3 : 3 + _NUM_ATTEMPTS], drawn[..., 3 + _NUM_ATTEMPTS :]
        most = drawn.new_tensor(self.each("max_area")).view(-1, 1, 1)
        least = most.clamp(max=_LEAST_AREA)
        areas = height * width * (least + (most - least) * areas)
        roots = ((aspects - 0.5) * -math.log(_LEAST_ASPECT)).exp()  # of height over width
        sizes = torch.stack([(areas.sqrt() * roots).round(), (areas.sqrt() / roots).round()], -1)
        fits = (sizes < sizes.new_tensor(sides)).all(-1)
        first = fits.to(torch.int8).argmax(-1)  # of equals the first
        size = sizes.gather(2, first[..., None, None].expand(-1, -1, 1, 2)).squeeze(2)
        is_hit = (decided < drawn.new_tensor(self.each("p")).unsqueeze(1)) & fits.any(-1)
        tall, wide = (size * is_hit.unsqueeze(-1)).unbind(-1)
        top, left = whole_numbers(down, height - tall + 1), whole_numbers(right, width - wide + 1)
        return boxes(top, left, tall, wide, sides)
