"""What regularizers do to each weight as the optimizer moves it, as numbers: one pass over memory does all of it.

    g ← g + pull·w + push·sign(w)
    w ← mask · max(floor, S(keep·w − rate·η·direction(g), rate·shrink·reach))

S(w, t) = sign(w)·max(|w| − t, 0) is the soft threshold, and reach the optimizer's long-run step for a constant unit
gradient (`Update.reach`). Each is one number for a member, but for the mask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Elementwise:
    """The coefficients of one weight tensor; None leaves a part out. `a & b` does both.

    Attributes:
        pull: λ of a gradient λw, for each member.
        push: λ of a gradient λ·sign(w).
        keep: The factor of the weight before it is moved, at the whole learning rate.
        shrink: λ of the soft threshold after it, in units of the optimizer's reach.
        rate: A factor of the learning rate.
        floor: The least value.
        mask: (K, *shape), 1 where a weight lives and 0 where it is to be zero; not compared.
    """

    pull: Numbers | None = None
    push: Numbers | None = None
    keep: Numbers | None = None
    shrink: Numbers | None = None
    rate: Numbers | None = None
    floor: Numbers | None = None
    mask: Tensor | None = field(default=None, compare=False)

    @property
    def shrinks(self) -> Numbers | None:
        """λ of the soft threshold in units of the reach at the whole learning rate: a shorter step shrinks by less."""
        return self.shrink if self.shrink is None or self.rate is None else times(self.shrink, self.rate)

    @property
    def keeps(self) -> Numbers | None:
        """The factor of the weight before it is moved: of a decay 1 − ηλ, at its own learning rate 1 − rate·ηλ."""
        if self.keep is None or self.rate is None:
            return self.keep
        return tuple(1 - rate * (1 - keep) for rate, keep in zip(self.rate, self.keep, strict=True))

    def __and__(self, other: Elementwise) -> Elementwise:
        mask = self.mask if other.mask is None else other.mask if self.mask is None else self.mask * other.mask
        return Elementwise(
            pull=_merged(self.pull, other.pull, lambda a, b: a + b),
            push=_merged(self.push, other.push, lambda a, b: a + b),
            keep=_merged(self.keep, other.keep, lambda a, b: a * b),
            shrink=_merged(self.shrink, other.shrink, lambda a, b: a + b),
            rate=_merged(self.rate, other.rate, lambda a, b: a * b),
            floor=_merged(self.floor, other.floor, max),
            mask=mask,
        )


NOTHING: Final = Elementwise()


def _merged(a: Numbers | None, b: Numbers | None, combine: Callable[[float, float], float]) -> Numbers | None:
    if a is None or b is None:
        return b if a is None else a
    return tuple(map(combine, a, b))


def times(a: Sequence[float], b: Sequence[float]) -> Numbers:
    """The products, member by member."""
    return tuple(x * y for x, y in zip(a, b, strict=True))
