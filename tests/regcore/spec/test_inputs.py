import pytest

from regcore.spec import parse_spec
from regcore.spec.inputs import Input, inputs_in, inputs_of, names_of

ONE, OTHER = "job_" + "0" * 26, "job_" + "1" * 26
SPEC = {
    "data": {"kind": "builtin", "name": "digits"},
    "model": {"kind": "linear"},
    "regularizers": [
        {"kind": "l1", "strength": 1},
        {"kind": "knowledge_distillation", "teacher": {"job_id": ONE}},
    ],
    "init_from": {"job_id": OTHER},
}
TAUGHT = Input("knowledge_distillation.teacher", "/regularizers/1/teacher", ONE, 1)
BEGUN = Input("init_from", "/init_from", OTHER)


def test_they_are_the_jobs_of_the_regularizers_and_the_one_to_begin_with():
    assert inputs_of(parse_spec(SPEC)) == inputs_in(SPEC) == [TAUGHT, BEGUN]
    assert (TAUGHT.only_to_begin, BEGUN.only_to_begin) == (False, True)


def test_a_teacher_that_is_described_is_no_other_job():
    described = {"kind": "knowledge_distillation", "teacher": {"model": {"kind": "linear"}}}

    assert inputs_in({**SPEC, "regularizers": [described], "init_from": None}) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model": "wrong"}, [TAUGHT, BEGUN]),
        ({"regularizers": [3, SPEC["regularizers"][1], {"kind": "no"}, {}]}, [TAUGHT, BEGUN]),
        ({"regularizers": [{"kind": "knowledge_distillation", "teacher": {"job_id": 3}}]}, [BEGUN]),
        ({"regularizers": "wrong", "init_from": {"job_id": 3}}, []),
        ({"regularizers": None, "init_from": "job"}, []),
    ],
)
def test_in_a_spec_that_is_wrong_the_right_parts_name_theirs(changes, expected):
    assert inputs_in({**SPEC, **changes}) == expected


def test_what_is_no_object_names_none():
    assert inputs_in([1]) == []


def test_from_the_second_of_a_kind_on_names_have_ordinals():
    assert names_of(["l1", "dropout", "l1", "l1"]) == ["l1", "dropout", "l1_2", "l1_3"]
