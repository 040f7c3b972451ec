import math

import pytest
import torch
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score, root_mean_squared_error

from regcore.data.preprocessing import TargetScaling
from regcore.data.rows import Batch
from regcore.tasks import Regression

TARGETS = torch.tensor([0.0, 2.0, 1.0, 1.0, 0.0, 2.0, 2.0], dtype=torch.float64)


@pytest.fixture
def outputs() -> torch.Tensor:
    return torch.randn(3, 7, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def measured(task: Regression, outputs: torch.Tensor, targets: torch.Tensor) -> dict[str, list[float]]:
    columns = task.columns(outputs, targets.unsqueeze(0), is_final=False)
    return {name: values.tolist() for name, values in task.measured(columns).items()}


def test_mse_is_the_plain_mean_of_squares_and_half_mse_its_half(outputs) -> None:
    mse = Regression("mse").row_losses(outputs, TARGETS.unsqueeze(0))
    half = Regression("half_mse").row_losses(outputs, TARGETS.unsqueeze(0))

    expected = [mean_squared_error(TARGETS.numpy(), member[:, 0].numpy()) for member in outputs]
    assert mse.mean(1).tolist() == pytest.approx(expected)
    assert torch.equal(half * 2, mse)


@pytest.mark.parametrize(("error", "loss"), [(0.5, 0.125), (-1, 0.5), (3, 2.5), (-3, 2.5)])
def test_huber_is_squared_up_to_1_and_linear_beyond(error: float, loss: float) -> None:
    losses = Regression("huber").row_losses(torch.tensor([[[10.0 + error]]]), torch.tensor([[10.0]]))

    assert losses.item() == pytest.approx(loss)


def test_metrics_are_sklearns_per_member(outputs) -> None:
    found = measured(Regression("mse"), outputs, TARGETS)

    members = outputs.squeeze(-1)
    assert found["r2"] == pytest.approx([r2_score(TARGETS, own) for own in members])
    assert found["mae"] == pytest.approx([mean_absolute_error(TARGETS, own) for own in members])
    assert found["rmse"] == pytest.approx([root_mean_squared_error(TARGETS, own) for own in members])


@pytest.mark.parametrize("num_rows", [1, 113, 1000])
def test_targets_that_are_all_equal_have_no_r2_however_their_mean_is_rounded(num_rows: int) -> None:
    targets = torch.full((num_rows,), 14.62, dtype=torch.float64)

    found = measured(Regression("mse"), targets.view(1, -1, 1) + 1, targets)

    assert math.isnan(found["r2"][0])
    assert found["mae"] == pytest.approx([1])


@pytest.mark.parametrize("loss", ["mse", "half_mse", "huber"])
def test_scaled_targets_are_measured_and_answered_in_their_own_unit(loss: str, outputs) -> None:
    task = Regression(loss, target_scaling=TargetScaling(-11.3, 3.7))

    losses = task.reported_losses(task.row_losses(outputs, TARGETS.unsqueeze(0)))
    columns = task.columns(outputs, TARGETS.unsqueeze(0), is_final=False)

    said, wanted = outputs.squeeze(-1) * 3.7 - 11.3, TARGETS * 3.7 - 11.3
    errors = (said - wanted).abs()
    in_their_unit = {
        "mse": errors**2,
        "half_mse": errors**2 / 2,
        # δ is 1 in the scaled unit, so 3.7 in this one.
        "huber": torch.where(errors < 3.7, errors**2 / 2, 3.7 * (errors - 3.7 / 2)),
    }
    torch.testing.assert_close(losses, in_their_unit[loss], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(columns["predictions"], said)
    torch.testing.assert_close(columns["targets"], wanted.unsqueeze(0))
    assert task.answers(outputs[0], outputs[0]).tolist() == pytest.approx(said[0].tolist())


def test_the_mean_is_said_in_the_targets_unit_and_given_in_the_networks() -> None:
    batches = [Batch(torch.zeros(1, n, 2), torch.full((1, n), value)) for n, value in ((3, 1.0), (1, 5.0))]

    said, constant = Regression("mse", target_scaling=TargetScaling(10.0, 2.0)).constant(batches, 1, None)

    assert said == {"kind": "mean", "value": 14.0}
    assert constant.tolist() == [2.0]
