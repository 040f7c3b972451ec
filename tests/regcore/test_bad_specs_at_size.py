"""Wrong specs of any size are refused with work that grows no faster than they do, and in answers of bounded size."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from regcore import JobSpec, make_plan
from regcore.errors import MAX_ERRORS, SpecError
from regcore.plan import Ceilings
from regcore.study.sweep import plan_sweep

SPEC: dict[str, Any] = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "mlp", "hidden": [8]}}
MAX_CHARACTERS = 100_000
FEW, MANY = 200, 1600


def _in_spec(**fields: Any) -> dict[str, Any]:
    return SPEC | fields


def _names(num: int, form: str = "field{}") -> dict[str, int]:
    return {form.format(place): 1 for place in range(num)}


SPECS: dict[str, Callable[[int], Any]] = {
    "unknown fields": lambda num: SPEC | _names(num),
    "unknown fields inside": lambda num: _in_spec(training=_names(num, "epochs{}")),
    "unknown fields of items": lambda num: _in_spec(
        model={"kind": "layers", "layers": [{"kind": "linear", f"f{place}": 1} for place in range(num)]}
    ),
    "names of labels": lambda num: _in_spec(labels=_names(num, "a b{}")),
    "items": lambda num: _in_spec(model={"kind": "mlp", "hidden": ["x"] * num}),
    "kinds of items": lambda num: _in_spec(model={"kind": "layers", "layers": [{"kind": "linaer"}] * num}),
    "items beyond a ceiling": lambda num: _in_spec(model={"kind": "mlp", "hidden": [8] * num}),
    "class weights": lambda num: _in_spec(task={"class_weights": [-1] * num}),
    "an object for a list": lambda num: _in_spec(regularizers=_names(num, "drpout{}")),
    "an object without kind": lambda num: _in_spec(optimizer={f"a{place}": "sgdd" for place in range(num)}),
    "one long name": lambda num: SPEC | {"xy" * num * 50: 1},
    "long names": lambda num: SPEC | _names(20, "{}" + "xy" * num),
    "a long kind": lambda num: _in_spec(optimizer={"kind": "ab" * num * 50}),
    "long patterns": lambda num: _in_spec(
        regularizers=[{"kind": "l1", "strength": 1, "select": {"include": ["*a" * num]}}]
    ),
}
SWEEPS: dict[str, Callable[[int], Any]] = {
    "unknown fields": lambda num: {"base": SPEC} | _names(num),
    "unknown fields of the base": lambda num: {"base": SPEC | _names(num)},
    "unknown fields of a variant": lambda num: {"base": SPEC, "variants": [{"name": "a"} | _names(num)]},
    "operations": lambda num: {
        "base": SPEC,
        "variants": [{"name": "a", "patch": [{"op": "replac", "path": "/name", "value": 1}] * num}],
    },
    "seeds": lambda num: {"base": SPEC, "seeds": [-1] * num},
    "values of an axis": lambda num: {
        "base": SPEC,
        "axes": [{"pointer": "/training/epochs", "values": [f"a{place}" for place in range(num)]}],
    },
}


def _refusal(parse: Callable[[Any], object], body: Any) -> tuple[SpecError, int]:
    """The refusal of a body, and how many functions were called for it."""
    num_calls = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal num_calls
        num_calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        parse(body)
    except SpecError as error:
        return error, num_calls
    finally:
        sys.setprofile(None)
    pytest.fail("it was accepted")


def _plan_job(body: Any) -> object:
    return make_plan(body, Ceilings())


@pytest.mark.parametrize(
    ("parse", "make"),
    [
        *(pytest.param(_plan_job, make, id=f"spec: {name}") for name, make in SPECS.items()),
        *(pytest.param(plan_sweep, make, id=f"sweep: {name}") for name, make in SWEEPS.items()),
    ],
)
def test_a_body_with_many_mistakes_takes_work_by_its_size_and_a_bounded_answer(
    parse: Callable[[Any], object], make: Callable[[int], Any]
) -> None:
    _refusal(parse, make(FEW))  # what is looked up once for all

    _, few = _refusal(parse, make(FEW))
    error, many = _refusal(parse, make(MANY))

    assert many < 1.5 * MANY / FEW * few
    assert len(error.errors) <= MAX_ERRORS
    assert len(str(error)) < MAX_CHARACTERS


def test_what_is_not_listed_is_counted() -> None:
    error, _ = _refusal(_plan_job, SPEC | _names(3000))
    of_sweep, _ = _refusal(plan_sweep, {"base": SPEC} | _names(3000))

    assert (len(error.errors), error.num_left_off) == (MAX_ERRORS, 2900)
    assert (len(of_sweep.errors), of_sweep.num_left_off) == (MAX_ERRORS, 2900)
    assert str(error).endswith("And 2,900 more.")


def test_a_spec_made_in_python_is_bounded_too() -> None:
    with pytest.raises(SpecError) as caught:
        JobSpec(**SPEC, **_names(3000))  # type: ignore[arg-type] # what a script may do

    assert caught.value.num_left_off == 2900


def test_a_patch_copies_a_bounded_number_of_bytes_though_it_removes_them_again() -> None:
    put = {"op": "add", "path": "/labels/x", "value": ["x" * 100] * 1000}
    again = [{"op": "copy", "from": "/labels/x", "path": "/labels/y"}, {"op": "remove", "path": "/labels/y"}]
    sweep = {"base": SPEC, "variants": [{"name": "a", "patch": [put, *again * 400]}]}

    error, _ = _refusal(plan_sweep, sweep)

    assert [one.code for one in error.errors] == ["too_large"]


@pytest.mark.parametrize(
    ("pointer", "wrong"),
    [
        ("/model/hidden", {"model": {"kind": "mlp", "hidden": [-1] * 100_000}}),
        ("/model/layers", {"model": {"kind": "layers", "layers": [{"kind": "x"}] * 100_000}}),
        ("/task/class_weights", {"task": {"class_weights": [-1] * 100_000}}),
    ],
    ids=["hidden", "layers", "class weights"],
)
def test_a_list_that_is_longer_than_any_is_one_mistake(pointer: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as refused:
        make_plan(SPEC | wrong)

    assert [error.pointer for error in refused.value.errors] == [pointer]
    assert "at most 10000 item" in refused.value.errors[0].message
