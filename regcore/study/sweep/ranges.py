"""The numbers of a range."""

import math
from fractions import Fraction

from regcore.study.sweep.spec import Range

_DIGITS = 10
_NOISE = 5e-13
"""A number within this relative distance of a number of ten digits differs from it only by rounding."""


def at_share(of: Range, share: Fraction) -> float:
    """The number at this share of a range; its ends exactly.

    linear: low + share · (high − low). log: ten to the power of the same between the ends' logarithms. Both are
    computed in fractions, because differences and ratios of the ends may exceed a float.
    """
    if share in (0, 1):
        return of.high if share else of.low
    if of.kind == "linear":
        number = _between(of.low, of.high, share)
    else:
        number = 10.0 ** _between(math.log10(of.low), math.log10(of.high), share)
    return min(max(_tidy(number), of.low), of.high)


def _tidy(number: float) -> float:
    """0.003 for 0.003000000000000001, as people write it and NumPy prints it; other numbers are unchanged."""
    short = float(f"{number:.{_DIGITS}g}")
    return short if math.isclose(short, number, rel_tol=_NOISE) else number


def _between(low: float, high: float, share: Fraction) -> float:
    return float(Fraction(low) + share * (Fraction(high) - Fraction(low)))
