from api.http.errors import PROBLEM_MEDIA_TYPE
from api.http.responses import example, problems
from api.http.schemas import Problem


def test_problems_of_one_status_share_a_response() -> None:
    found = problems("job_not_found", "artifact_not_found", everywhere=())

    assert set(found) == {404}
    assert set(found[404]["content"][PROBLEM_MEDIA_TYPE]["examples"]) == {"job_not_found", "artifact_not_found"}


def test_every_operation_may_answer_with_the_problems_of_all() -> None:
    assert set(problems("illegal_action")) == {401, 403, 406, 409, 422, 500, 503}


def test_the_example_of_a_problem_is_one() -> None:
    value = problems("illegal_action", everywhere=())[409]["content"][PROBLEM_MEDIA_TYPE]["examples"]["illegal_action"]

    problem = Problem.model_validate(value["value"], strict=True)

    assert (problem.type, problem.status) == ("urn:regcore:problem:illegal_action", 409)


def test_an_example_takes_further_fields_of_its_response() -> None:
    found = example(201, {"a": 1}, "Made", headers={"Location": {}})

    assert found == {
        201: {
            "description": "Made",
            "content": {"application/json": {"example": {"a": 1}}},
            "headers": {"Location": {}},
        }
    }
