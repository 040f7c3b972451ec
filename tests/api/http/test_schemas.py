from api.http.errors import ParameterError, ProblemError, problem_response
from api.http.schemas import Problem
from regcore.errors import MAX_ERRORS, FieldError


def test_a_problem_as_it_is_written_fits_the_schema() -> None:
    wrong = [FieldError("/model", "missing_field", "m"), ParameterError("limit", "invalid_value", "l")]

    content = problem_response(ProblemError("invalid_spec", "d", wrong), "/v1/jobs", "req_1").body
    problem = Problem.model_validate_json(bytes(content), strict=True)

    assert [(one.pointer, one.parameter, one.code) for one in problem.errors] == [
        ("/model", None, "missing_field"),
        (None, "limit", "invalid_value"),
    ]
    assert problem.num_errors_left_off is None


def test_of_very_many_errors_the_number_that_is_left_off_fits_too() -> None:
    wrong = [ParameterError("limit", "invalid_value", "l")] * (MAX_ERRORS + 3)

    content = problem_response(ProblemError("invalid_parameter", "d", wrong), "/v1/jobs", "req_1").body
    problem = Problem.model_validate_json(bytes(content), strict=True)

    assert (len(problem.errors), problem.num_errors_left_off) == (MAX_ERRORS, 3)
