import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from regcore.spec.kinds import TASKS
from regcore.tasks.classification import balanced_class_weights


def row_losses(loss, class_weights=None):
    """The losses of the task that has this one."""
    (task,) = (task for task in TASKS.values() if loss in task.losses)
    return task(loss, 3, class_weights).row_losses


LABELS = torch.tensor([0, 2, 1, 1, 0, 2, 2])


@pytest.fixture
def logits():
    return torch.randn(3, 7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_cross_entropy_is_sklearns_log_loss_per_member(logits):
    losses = row_losses("cross_entropy")(logits, LABELS.unsqueeze(0))

    expected = [log_loss(LABELS.numpy(), member.softmax(-1).numpy()) for member in logits]
    assert losses.shape == (3, 7)
    assert losses.mean(1).tolist() == pytest.approx(expected)


def test_binary_cross_entropy_is_sklearns_log_loss_per_member(logits):
    labels = LABELS.clamp(max=1)

    losses = row_losses("binary_cross_entropy")(logits[..., :1], labels.unsqueeze(0))

    expected = [log_loss(labels.numpy(), member[:, 0].sigmoid().numpy()) for member in logits]
    assert losses.mean(1).tolist() == pytest.approx(expected)


def test_mse_is_the_plain_mean_of_squares_and_half_mse_its_half(logits):
    targets = LABELS.double()

    mse = row_losses("mse")(logits[..., :1], targets.unsqueeze(0))
    half = row_losses("half_mse")(logits[..., :1], targets.unsqueeze(0))

    expected = [mean_squared_error(targets.numpy(), member[:, 0].numpy()) for member in logits]
    assert mse.mean(1).tolist() == pytest.approx(expected)
    assert torch.equal(half * 2, mse)


@pytest.mark.parametrize(("error", "loss"), [(0.5, 0.125), (-1, 0.5), (3, 2.5), (-3, 2.5)])
def test_huber_is_squared_up_to_1_and_linear_beyond(error, loss):
    losses = row_losses("huber")(torch.tensor([[[10.0 + error]]]), torch.tensor([[10.0]]))

    assert losses.item() == pytest.approx(loss)


def test_targets_may_differ_by_member(logits):
    labels = torch.stack([LABELS, LABELS.flip(0), LABELS])

    losses = row_losses("cross_entropy")(logits, labels)

    for k in range(3):
        torch.testing.assert_close(losses[k], nn.CrossEntropyLoss(reduction="none")(logits[k], labels[k]))


def test_class_weights_multiply_each_rows_loss(logits):
    weights = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)

    losses = row_losses("cross_entropy", weights)(logits, LABELS.unsqueeze(0))

    for k in range(3):
        expected = nn.CrossEntropyLoss(weight=weights, reduction="none")(logits[k], LABELS)
        torch.testing.assert_close(losses[k], expected)


def test_balanced_class_weights_are_sklearns():
    labels = torch.tensor([0] * 7 + [1] * 2 + [2] * 5)

    weights = balanced_class_weights(labels, 3)

    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy())
    assert weights.tolist() == pytest.approx(expected.tolist())


def test_a_class_without_rows_gets_a_finite_weight():
    assert torch.isfinite(balanced_class_weights(torch.tensor([0, 0, 2]), 3)).all()
