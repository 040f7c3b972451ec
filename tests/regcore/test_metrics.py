import pytest

from regcore.errors import SpecError
from regcore.metrics import METRICS, metrics_of
from regcore.regularizers.early_stopping import EarlyStopping
from regcore.study.sweep.spec import SweepSpec, parse_sweep

BASE = {"data": {"kind": "builtin", "name": "wine"}, "model": {"kind": "linear"}}


def test_each_task_has_its_own_metrics() -> None:
    assert metrics_of("regression") == ("loss", "r2", "mae", "rmse")
    assert set(metrics_of("classification", 6)) == set(METRICS) - {"r2", "mae", "rmse"}


def test_the_five_best_of_five_classes_are_no_metric() -> None:
    assert "top5_accuracy" not in metrics_of("classification", 5)


@pytest.mark.parametrize("name", METRICS)
def test_each_can_stop_early_and_be_an_objective_in_its_direction(name: str) -> None:
    metric = f"validation/{name}"

    stopping = EarlyStopping(metric=metric)
    sweep = SweepSpec.model_validate({"base": BASE, "objective": {"metric": metric}})

    assert stopping.sign == (1 if METRICS[name].mode == "min" else -1)
    assert sweep.objective.metric == metric


def test_other_names_of_a_metric_are_understood_in_an_objective() -> None:
    with pytest.raises(SpecError, match="Did you mean 'validation/auroc'"):
        parse_sweep({"base": BASE, "objective": {"metric": "validation/auc"}})
