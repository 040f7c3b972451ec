import inspect

import pytest

from jobs import errors

ERRORS = [one for _, one in inspect.getmembers(errors, inspect.isclass) if one.__module__ == errors.__name__]


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_is_in_the_tree_that_the_docstring_draws(error: type[Exception]) -> None:
    assert issubclass(error, errors.JobsError)
    assert error.__name__ in (errors.__doc__ or "")


def test_messages_say_what_came_and_what_to_do() -> None:
    action = errors.IllegalActionError("delete", "running", "Cancel it first.")
    empty = errors.UnmigratedDatabaseError(None, "0002")

    assert str(action) == "Cannot delete a job that is running. Cancel it first."
    assert str(empty) == "The database is empty; this version needs revision 0002. Run `regcore migrate` first."
