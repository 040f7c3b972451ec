"""Where a moment is in its day, week, month and year, as numbers that a network can use."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from regcore.data.tables.features import DATE_PLACES, TIME_PLACES

_MICROSECONDS_A_DAY: Final = 86_400_000_000
_DAYS_A_YEAR: Final = 365.2425
_DAYS_A_MONTH: Final = 31
_WEEKDAY_OF_1970: Final = 3
"""The first of January was a Thursday; Monday is 0."""


def calendar_places(moments: NDArray[np.int64], *, has_time: bool) -> NDArray[np.float64]:
    """Day of the year and of the month as points on a circle, the weekday one-hot, and the time of day on a circle.

    Args:
        moments: Microseconds since 1970, (N,).
        has_time: Whether the time of day counts.

    Returns:
        (N, places): sine and cosine of the year and of the month, Monday to Sunday, and with time the sine and cosine
        of the day and of half a day.
    """
    days, rest = np.divmod(moments, _MICROSECONDS_A_DAY)
    dates = days.astype("datetime64[D]")
    of_year = (dates - dates.astype("datetime64[Y]")).astype(np.float64) / _DAYS_A_YEAR
    of_month = (dates - dates.astype("datetime64[M]")).astype(np.float64) / _DAYS_A_MONTH
    places = np.zeros((len(moments), DATE_PLACES - 1 + (TIME_PLACES if has_time else 0)))
    turns = [of_year, of_month]
    places[np.arange(len(moments)), 4 + (days + _WEEKDAY_OF_1970) % 7] = 1
    if has_time:
        of_day = rest / _MICROSECONDS_A_DAY
        turns += [of_day, 2 * of_day]
    for number, turn in enumerate(turns):
        first = 2 * number if number < 2 else 7 + 2 * number
        places[:, first], places[:, first + 1] = np.sin(2 * np.pi * turn), np.cos(2 * np.pi * turn)
    return places
