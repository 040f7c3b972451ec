import pytest

from regcore.errors import SpecError
from regcore.study.statistics import mode_of


@pytest.mark.parametrize("metric", ["test/loss", "validation/loss", "test/mae", "generalization_gap"])
def test_of_losses_and_gaps_the_lower_is_better(metric):
    assert mode_of(metric) == "min"


@pytest.mark.parametrize("metric", ["test/accuracy", "train/r2"])
def test_of_accuracies_the_higher_is_better(metric):
    assert mode_of(metric) == "max"


def test_a_metric_without_a_better_end_is_refused_by_name_and_with_what_to_do():
    with pytest.raises(SpecError, match=r"\*/accuracy.*received 'sparsity'.*`mode`") as caught:
        mode_of("sparsity")

    assert [error.pointer for error in caught.value.errors] == ["/metric"]
