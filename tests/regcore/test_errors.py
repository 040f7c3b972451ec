import inspect

import pytest

from regcore import errors
from regcore.errors import (
    CheckpointError,
    DivergedError,
    FieldError,
    InvalidDataError,
    OutOfMemoryError,
    RegCoreError,
    SpecError,
    TrainingError,
    TrainingStopped,
)


def test_everything_is_under_one_base():
    raised = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, Exception)]

    assert all(issubclass(each, RegCoreError) for each in raised)


def test_every_class_is_drawn_in_the_modules_tree():
    raised = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, Exception)]

    assert [each.__name__ for each in raised if each.__name__ not in errors.__doc__] == []


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (TrainingError, "internal_error", False),
        (DivergedError, "diverged", False),
        (InvalidDataError, "invalid_data", False),
        (OutOfMemoryError, "out_of_memory", True),
        (CheckpointError, "internal_error", False),
        (TrainingStopped, "cancelled_by_user", False),
    ],
)
def test_a_training_error_is_the_jobs_state_reason(error, code, retryable):
    reason = error("what happened", remedy="what to do", details={"epoch": 3}).reason()

    assert reason == {
        "code": code,
        "message": "what happened",
        "remedy": "what to do",
        "retryable": retryable,
        "details": {"epoch": 3},
    }


def test_a_training_error_reads_as_its_message():
    assert str(DivergedError("the loss is NaN")) == "the loss is NaN"


def test_a_spec_error_is_a_value_error_that_reads_as_all_its_places():
    error = SpecError([FieldError("/a", "x", "first."), FieldError("", "y", "second.")])

    assert isinstance(error, ValueError)
    assert str(error) == "/a: first.\n/: second."
