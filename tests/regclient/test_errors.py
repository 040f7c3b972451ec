from regclient.errors import APIError, NotFoundError, UnavailableError, error_from_problem, explain_reason


def test_the_status_chooses_the_class() -> None:
    assert type(error_from_problem(404, {})) is NotFoundError
    assert type(error_from_problem(503, {})) is UnavailableError
    assert type(error_from_problem(500, {})) is APIError


def test_a_fault_of_the_server_names_the_request() -> None:
    assert "req_7" in str(error_from_problem(500, {"title": "Internal error", "request_id": "req_7"}))


def test_a_reason_is_one_line_with_its_remedy() -> None:
    assert (
        explain_reason({"code": "diverged", "message": "NaN.", "remedy": "Slow down."}) == "diverged: NaN. Slow down."
    )
