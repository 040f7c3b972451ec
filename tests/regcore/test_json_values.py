import json
from collections import OrderedDict
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

from regcore.json_values import canonical, checked, plain, whole


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.arange(3)[1], 1),
        (np.uint8(255), 255),
        (np.float64(0.5), 0.5),
        (np.float32(0.1), 0.10000000149011612),
        (np.longdouble(0.5), 0.5),
        (np.bool_(True), True),
        (np.array(7), 7),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (torch.tensor(0.25), 0.25),
        (torch.tensor(True), True),
        (torch.tensor([1, 2]), [1, 2]),
        ((4, (np.int64(5),)), [4, [5]]),
        (range(3), [0, 1, 2]),
        (OrderedDict(a=(1,)), {"a": [1]}),
        (Decimal("0.25"), 0.25),
        (Fraction(1, 4), 0.25),
    ],
    ids=str,
)
def test_a_scripts_values_become_jsons_own(value, expected):
    found = plain(value)

    assert found == expected
    assert type(found) is type(expected)
    assert json.loads(json.dumps(found)) == expected


def nested(num_levels):
    value = []
    for _ in range(num_levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [Decimal("sNaN"), Fraction(10**400), torch.empty(2, device="meta"), torch.empty((), device="meta")],
    ids=str,
)
def test_what_fails_to_say_what_it_is_stays_what_it_is(value):
    assert plain(value) is value
    assert plain({"a": (value,)})["a"][0] is value


def test_lists_nested_too_deeply_are_read_as_far_as_they_can_be():
    found = plain((nested(10_000),))

    depth = 0
    while found:
        (found,) = found
        depth += 1
    assert depth == 10_001


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Decimal(1), "must be JSON; received a Decimal"),
        ([{"a": (1,)}], "must be JSON; received a tuple"),
        ({"a": {1: 2}}, "names are text"),
        (nested(50), "at most 50 levels deep"),
        (nested(5_000), "at most 50 levels deep"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_what_is_not_json_or_too_deep_is_refused(value, said):
    with pytest.raises(ValueError, match=said):
        checked(value)


@pytest.mark.parametrize(
    "value", [None, True, 1e300, "x", {"a": [{"b": None}]}, nested(49)], ids=lambda v: type(v).__name__
)
def test_json_is_not_changed_by_the_check(value):
    assert checked(value) is value


@pytest.mark.parametrize("value", [None, True, 0, -0.0, 1e300, "32", {"a": [1, {"b": None}]}, {1, 2}, 1j])
def test_what_json_can_say_and_what_nobody_can_read_stay_what_they_are(value):
    assert repr(plain(value)) == repr(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(32.0, 32), (1e3, 1000), ([2, 4.0], [2, 4]), (3.5, 3.5), ("32", "32"), (True, True), (float("inf"), float("inf"))],
    ids=str,
)
def test_a_number_without_a_fraction_is_whole(value, expected):
    assert repr(whole(value)) == repr(expected)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("1", "1.0", True),
        ('{"a": [1e3, {"b": 2}]}', '{"a": [1000, {"b": 2.0}]}', True),
        ("0", "-0.0", True),
        ("100000000000000000000", "1e20", True),
        ("1", "true", False),
        ("1", '"1"', False),
        ("0", "null", False),
        ("9007199254740993", "9007199254740992.0", False),
        ("1", "1.0000000000000002", False),
    ],
)
def test_equal_json_is_written_alike(one, other, is_same):
    written = [json.dumps(canonical(json.loads(text))) for text in (one, other)]

    assert (written[0] == written[1]) is is_same
