import math

import pytest
import torch
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from regcore import make_plan, parse_spec
from regcore.data.prepare import Split
from regcore.data.preprocessing import TargetScaling
from regcore.loop.evaluate import Evaluation, evaluate, measure, predicted_labels, probabilities
from regcore.loop.losses import row_losses
from regcore.loop.network import StackedNetwork


def test_accuracy_is_sklearns_per_member():
    outputs = torch.randn(2, 50, 4, dtype=torch.float64)
    labels = torch.randint(4, (50,))
    losses = row_losses("cross_entropy")(outputs, labels.unsqueeze(0))

    measured = measure(Evaluation(losses, outputs, labels), "cross_entropy")

    for values, member in zip(measured, outputs, strict=True):
        assert values["accuracy"] == accuracy_score(labels, member.argmax(-1))
        assert values["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, member.argmax(-1)))
        assert set(values) == {"loss", "accuracy", "balanced_accuracy"}


def test_further_metrics_are_measured_for_the_members_that_ask() -> None:
    outputs = torch.randn(2, 50, 4, dtype=torch.float64)
    labels = torch.randint(4, (50,))

    first, second = measure(Evaluation(torch.zeros(2, 50), outputs, labels), "cross_entropy", [[], ["auroc", "loss"]])

    assert "auroc" not in first
    assert second["auroc"] == pytest.approx(roc_auc_score(labels, outputs[1].softmax(-1), multi_class="ovr"))


@pytest.mark.parametrize("counts", [(8, 8, 8), (1, 7, 13), (3, 0, 5), (11,)])
def test_a_perfect_split_has_a_balanced_accuracy_of_exactly_1(counts: tuple[int, ...]) -> None:
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    outputs = torch.nn.functional.one_hot(labels, 4).double().unsqueeze(0)

    (values,) = measure(Evaluation(torch.zeros(1, len(labels)), outputs, labels), "cross_entropy")

    assert values["balanced_accuracy"] == 1.0


def test_where_outputs_tie_the_first_class_is_the_answer():
    outputs = torch.tensor([[[1.0, 1.0, 0.0], [0.0, 2.0, 2.0], [0.0, 0.0, 0.0], [0.0, 3.0, 1.0]]])
    labels = torch.tensor([1, 1, 0, 1])

    (values,) = measure(Evaluation(torch.zeros(1, 4), outputs, labels), "cross_entropy")

    assert values["accuracy"] == accuracy_score(labels, outputs[0].argmax(-1)) == 0.75


def test_accuracy_of_a_single_logit_is_that_of_its_sign():
    outputs = torch.tensor([[[2.0], [-1.0], [0.5], [-3.0]]], dtype=torch.float64)

    (values,) = measure(Evaluation(torch.zeros(1, 4), outputs, torch.tensor([1, 1, 0, 0])), "binary_cross_entropy")

    assert values["accuracy"] == 0.5


def test_r2_and_mae_are_sklearns_per_member():
    outputs = torch.randn(2, 50, 1, dtype=torch.float64)
    targets = torch.randn(50, dtype=torch.float64)
    losses = row_losses("mse")(outputs, targets.unsqueeze(0))

    measured = measure(Evaluation(losses, outputs, targets), "mse")

    for values, member in zip(measured, outputs.squeeze(-1), strict=True):
        assert values["r2"] == pytest.approx(r2_score(targets, member))
        assert values["mae"] == pytest.approx(mean_absolute_error(targets, member))
        assert values["rmse"] == pytest.approx(root_mean_squared_error(targets, member))


@pytest.mark.parametrize("num_rows", [1, 113, 1000])
def test_targets_that_are_all_equal_have_no_r2_however_their_mean_is_rounded(num_rows):
    targets = torch.full((num_rows,), 14.62, dtype=torch.float64)
    outputs = targets.view(1, -1, 1) + 1

    (values,) = measure(Evaluation(torch.ones(1, num_rows), outputs, targets), "mse")

    assert math.isnan(values["r2"])
    assert values["mae"] == pytest.approx(1)


@pytest.mark.parametrize("loss", ["mse", "half_mse", "huber"])
def test_scaled_targets_are_evaluated_in_their_own_unit(loss, make_job):
    plan = make_plan(parse_spec(make_job(data={"kind": "builtin", "name": "diabetes"}, task={"loss": loss})))
    network = StackedNetwork([plan], dtype=torch.float64, device=torch.device("cpu"), autocast=False)
    targets = 3.7 * torch.randn(37, dtype=torch.float64) - 11.3
    split = Split(torch.randn(37, 10, dtype=torch.float64), (targets + 11.3) / 3.7)

    evaluation = evaluate(network, split, row_losses(loss), scaling=TargetScaling(-11.3, 3.7))

    said = network.module(0)(split.x).detach().squeeze(1) * 3.7 - 11.3
    errors = (said - targets).abs()
    in_their_unit = {
        "mse": errors**2,
        "half_mse": errors**2 / 2,
        # δ is 1 in the scaled unit, so 3.7 in this one.
        "huber": torch.where(errors < 3.7, errors**2 / 2, 3.7 * (errors - 3.7 / 2)),
    }
    torch.testing.assert_close(evaluation.losses[0], in_their_unit[loss], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(evaluation.outputs[0, :, 0], said)
    torch.testing.assert_close(evaluation.targets, targets)


def test_probabilities_sum_to_1_and_agree_with_the_labels():
    several, single = torch.randn(9, 4), torch.randn(9, 1)

    for outputs in (several, single):
        shares = probabilities(outputs)

        torch.testing.assert_close(shares.sum(-1), torch.ones(9))
        assert torch.equal(shares.argmax(-1), predicted_labels(outputs))


def test_evaluation_is_without_dropout_and_over_every_row(make_job):
    plan = make_plan(parse_spec(make_job(regularizers=[{"kind": "dropout", "p": 0.5}])))
    network = StackedNetwork([plan], dtype=torch.float32, device=torch.device("cpu"), autocast=False)
    split = Split(torch.rand(37, *plan.input_shape), torch.randint(10, (37,)))

    evaluation = evaluate(network, split, row_losses("cross_entropy"))

    expected = network.module(0)(split.x)
    torch.testing.assert_close(evaluation.outputs[0], expected.double(), rtol=1e-5, atol=1e-6)
    assert evaluation.losses.shape == (1, 37)
