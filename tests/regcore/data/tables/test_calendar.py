from datetime import UTC, datetime

import numpy as np
import pytest

from regcore.data.tables.calendar import calendar_places
from regcore.data.tables.features import DATE_PLACES, TIME_PLACES


def microseconds(*moment: int) -> np.ndarray:
    return np.array([int(datetime(*moment, tzinfo=UTC).timestamp() * 1_000_000)])


@pytest.mark.parametrize("moment", [(1970, 1, 1), (1969, 12, 31), (2024, 2, 29), (2000, 1, 1), (1899, 5, 6)])
def test_the_weekday_is_the_calendars(moment):
    places = calendar_places(microseconds(*moment), has_time=False)

    assert places.shape == (1, DATE_PLACES - 1)
    assert places[0, 4:11].tolist() == np.eye(7)[datetime(*moment, tzinfo=UTC).weekday()].tolist()


def test_the_end_of_a_year_is_near_its_beginning():
    first, last, middle = (calendar_places(microseconds(*day), has_time=False)[0, :2] for day in (
        (2023, 1, 1), (2023, 12, 31), (2023, 7, 1),
    ))  # fmt: skip

    assert np.linalg.norm(first - last) < 0.05
    assert np.linalg.norm(first - middle) > 1.9


@pytest.mark.parametrize(("hour", "angle"), [(0, 0.0), (6, 0.25), (12, 0.5), (18, 0.75)])
def test_the_hour_is_a_place_on_a_circle(hour, angle):
    places = calendar_places(microseconds(2024, 5, 6, hour), has_time=True)

    assert places.shape == (1, DATE_PLACES - 1 + TIME_PLACES)
    np.testing.assert_allclose(places[0, -4:-2], [np.sin(2 * np.pi * angle), np.cos(2 * np.pi * angle)], atol=1e-12)
    np.testing.assert_allclose(places[0, -2:], [np.sin(4 * np.pi * angle), np.cos(4 * np.pi * angle)], atol=1e-12)
