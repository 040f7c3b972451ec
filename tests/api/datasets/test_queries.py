from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from api.datasets.queries import DatasetListQuery, UploadQuery, make_dataset_filter
from jobs.model import DatasetFilter
from jobs.states import DatasetState


def test_no_parameter_restricts_nothing() -> None:
    assert make_dataset_filter(DatasetListQuery()) == DatasetFilter()


def test_every_parameter_of_a_list_restricts_it() -> None:
    query = DatasetListQuery(
        state=["ready,invalid"],
        name="rows.csv",
        sha256="ab" * 32,
        created_after=datetime(1970, 1, 1, tzinfo=UTC),
        created_before=datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC),
    )

    assert make_dataset_filter(query) == DatasetFilter(
        states=frozenset({DatasetState.READY, DatasetState.INVALID}),
        name="rows.csv",
        sha256="ab" * 32,
        created_after=0.0,
        created_before=1.5,
    )


@pytest.mark.parametrize(
    ("wrong", "parameter"),
    [({"state": ["running"]}, "state"), ({"sha256": "AB" * 32}, "sha256"), ({"sort": "finished_at"}, "sort")],
)
def test_a_wrong_word_is_a_problem_of_its_parameter(wrong: dict[str, Any], parameter: str) -> None:
    with pytest.raises(ValidationError) as caught:
        DatasetListQuery(**wrong)

    assert [error["loc"] for error in caught.value.errors()] == [(parameter,)]


@pytest.mark.parametrize("name", ["", " rows.csv", "a/b.csv", "a\\b.csv", "..", "a\n.csv", "x" * 201])
def test_a_name_that_no_file_may_have_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="name"):
        UploadQuery(name=name)
