from collections.abc import Callable
from typing import Any

import pytest

from regcore.errors import FieldError
from regcore.study.sweep import Candidate, expand, parse_sweep

Make = Callable[..., dict[str, Any]]
Spec = dict[str, Any]
STRENGTH = "/regularizers/0/strength"


def blamed(candidate: Candidate, pointer: str) -> str:
    """Where the sweep's spec is said to be wrong if the candidate's is wrong there."""
    return candidate.explain(FieldError(pointer, "code", "is wrong")).pointer


def test_each_seed_is_a_member_and_may_split_anew(sweep: Make, resolved: Spec) -> None:
    same = parse_sweep(sweep(seeds=[3, 5]))
    split = parse_sweep(sweep(seeds=[3, 5], vary_split=True))

    seeds = {
        name: [(s["training"]["seed"], s["data"]["split_seed"]) for _, s in expand(one, resolved, 9)[0].members(one)]
        for name, one in {"same": same, "split": split}.items()
    }

    assert seeds == {"same": [(3, 0), (5, 0)], "split": [(3, 3), (5, 5)]}


def test_an_error_points_at_what_put_the_wrong_value_there(sweep: Make, resolved: Spec) -> None:
    axes = [
        {"pointer": "/regularizers/0", "values": [{"kind": "l1", "strength": 1.0}]},
        {"pointer": STRENGTH, "values": [-1]},
    ]
    variants = [{"name": "v"}]
    (candidate,) = expand(parse_sweep(sweep(axes=axes, variants=variants)), resolved, 100)

    pointers = [blamed(candidate, pointer) for pointer in (STRENGTH, "/regularizers/0/kind", "/training/epochs")]

    assert pointers == ["/axes/1/values/0", "/axes/0/values/0/kind", "/variants/0"]
    assert "variant 'v'" in candidate.explain(FieldError(STRENGTH, "code", "is wrong")).message


def test_an_error_points_into_no_value_that_has_nothing_in_it(sweep: Make, resolved: Spec) -> None:
    (candidate,) = expand(parse_sweep(sweep(axes=[{"pointer": "/task", "values": [None]}])), resolved, 100)

    assert blamed(candidate, "/task/loss") == "/axes/0/values/0"


def test_an_error_of_a_whole_points_at_the_part_that_was_put_into_it(sweep: Make, resolved: Spec) -> None:
    axes = [{"pointer": "/data/test_fraction", "values": [0.999]}]
    (candidate,) = expand(parse_sweep(sweep(axes=axes)), resolved, 100)

    assert blamed(candidate, "/data") == "/axes/0/values/0"
    assert blamed(candidate, "/model") == "/base/model"


@pytest.mark.parametrize(
    ("axes", "pointer", "source"),
    [
        ({"/regularizers/0": None, "/regularizers/1/p": 7}, "/regularizers/0/p", "/axes/1/values/0"),
        ({"/regularizers/0": None}, "/regularizers/0/p", "/base/regularizers/1/p"),
        ({"/regularizers/1": None}, "/regularizers/0/p", "/base/regularizers/0/p"),
        ({"/regularizers/0": None, "/regularizers/1": None}, "/regularizers/0/p", "/base/regularizers/2/p"),
        ({"/regularizers/0": None, "/regularizers/2": None}, "/regularizers/0/p", "/base/regularizers/1/p"),
        ({"/regularizers/0": None, "/regularizers/-": {"p": 7}}, "/regularizers/2/p", "/axes/1/values/0/p"),
        ({"/regularizers/0": None}, "/regularizers", "/axes/0/values/0"),
        ({"/optimizer/momentum": None}, "/optimizer/momentum", "/axes/0/values/0"),
        ({"/model/hidden/0": None, "/regularizers/0": None}, "/model/hidden/0", "/base/model/hidden/1"),
    ],
)
def test_what_was_removed_does_not_shift_the_blame(
    axes: Spec, pointer: str, source: str, sweep: Make, resolved: Spec
) -> None:
    resolved["regularizers"].append({"kind": "dropout", "p": 0.5})
    listed = [{"pointer": place, "values": [value]} for place, value in axes.items()]
    (candidate,) = expand(parse_sweep(sweep(axes=listed)), resolved, 100)

    assert blamed(candidate, pointer) == source


def test_what_an_ablation_left_out_does_not_shift_the_blame(sweep: Make, resolved: Spec) -> None:
    full, without_l1, without_dropout = expand(parse_sweep(sweep(strategy={"kind": "ablation"})), resolved, 100)

    found = [blamed(one, "/regularizers/0/select") for one in (full, without_l1, without_dropout)]

    assert found == [f"/base/regularizers/{k}/select" for k in (0, 1, 0)]
