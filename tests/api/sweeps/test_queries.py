from datetime import UTC, datetime

from api.sweeps.queries import ComparisonQuery, SweepListQuery, make_sweep_filter
from jobs.model import SweepFilter


def test_no_parameter_restricts_nothing() -> None:
    assert make_sweep_filter(SweepListQuery()) == SweepFilter()


def test_every_parameter_of_a_list_restricts_it() -> None:
    query = SweepListQuery(
        label=["team:vision", "empty:"],
        name="n",
        created_after=datetime(1970, 1, 1, tzinfo=UTC),
        created_before=datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC),
    )

    assert make_sweep_filter(query) == SweepFilter(
        labels=(("team", "vision"), ("empty", "")), name="n", created_after=0.0, created_before=1.5
    )


def test_a_comparison_is_of_every_two_variants_by_the_objective_if_nothing_is_asked() -> None:
    assert ComparisonQuery().model_dump() == {"metric": None, "baseline": None}
