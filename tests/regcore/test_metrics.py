import pytest

from regcore.errors import SpecError
from regcore.regularizers.early_stopping import EarlyStopping
from regcore.spec.kinds import METRICS
from regcore.study.sweep.spec import SweepSpec, parse_sweep

BASE = {"data": {"kind": "builtin", "name": "wine"}, "model": {"kind": "linear"}}


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


@pytest.mark.parametrize("name", METRICS)
def test_shares_lie_between_0_and_1(name: str) -> None:
    metric = METRICS[name]

    assert metric.is_share == ((metric.least, metric.most) == (0, 1))
