import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from regcore.data.rows import Batch
from regcore.shapes import RowInfo
from regcore.tasks import Classification
from regcore.tasks.classification import balanced_class_weights, is_right, predicted_classes, probabilities

LABELS = torch.tensor([0, 2, 1, 1, 0, 2, 2])
MULTI, BINARY = Classification("cross_entropy", 3), Classification("binary_cross_entropy", 2)


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(3, 7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def measured(task: Classification, outputs: torch.Tensor, labels: torch.Tensor) -> dict[str, list[float]]:
    columns = task.columns(outputs, labels.unsqueeze(0), is_final=False)
    return {name: values.tolist() for name, values in task.measured(columns).items()}


def batches(*labels: list[int]) -> list[Batch]:
    return [Batch(torch.zeros(1, len(own), 2), torch.tensor([own])) for own in labels]


def test_cross_entropy_is_sklearns_log_loss_per_member(logits) -> None:
    losses = MULTI.row_losses(logits, LABELS.unsqueeze(0))

    expected = [log_loss(LABELS.numpy(), member.softmax(-1).numpy()) for member in logits]
    assert losses.shape == (3, 7)
    assert losses.mean(1).tolist() == pytest.approx(expected)


def test_binary_cross_entropy_is_sklearns_log_loss_per_member(logits) -> None:
    labels = LABELS.clamp(max=1)

    losses = BINARY.row_losses(logits[..., :1], labels.unsqueeze(0))

    expected = [log_loss(labels.numpy(), member[:, 0].sigmoid().numpy()) for member in logits]
    assert losses.mean(1).tolist() == pytest.approx(expected)


def test_targets_may_differ_by_member(logits) -> None:
    labels = torch.stack([LABELS, LABELS.flip(0), LABELS])

    losses = MULTI.row_losses(logits, labels)

    for k in range(3):
        torch.testing.assert_close(losses[k], nn.CrossEntropyLoss(reduction="none")(logits[k], labels[k]))


def test_class_weights_multiply_each_rows_loss(logits) -> None:
    weights = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)

    losses = Classification("cross_entropy", 3, weights).row_losses(logits, LABELS.unsqueeze(0))

    for k in range(3):
        expected = nn.CrossEntropyLoss(weight=weights, reduction="none")(logits[k], LABELS)
        torch.testing.assert_close(losses[k], expected)


@pytest.mark.parametrize("task", [MULTI, BINARY], ids=["several", "two"])
def test_soft_targets_of_one_class_count_as_that_class(task, logits) -> None:
    outputs, labels = logits[..., : task.num_outputs(RowInfo((2,)), task.num_classes, task.loss)], LABELS.clamp(max=1)
    weighted = Classification(task.loss, task.num_classes, torch.tensor([0.5, 2.0, 1.0][: task.num_classes]))

    soft = weighted.row_losses(outputs, weighted.soft(labels.unsqueeze(0)))

    torch.testing.assert_close(soft, weighted.row_losses(outputs, labels.unsqueeze(0)))


def test_balanced_class_weights_are_sklearns() -> None:
    labels = [0] * 7 + [1] * 2 + [2] * 5

    weights = balanced_class_weights(batches(labels[:6], labels[6:]), 3)

    expected = compute_class_weight("balanced", classes=np.arange(3), y=np.array(labels))
    assert weights.tolist() == pytest.approx(expected.tolist())


def test_a_class_without_rows_gets_a_finite_weight() -> None:
    assert torch.isfinite(balanced_class_weights(batches([0, 0, 2]), 3)).all()


def test_accuracies_are_sklearns_per_member() -> None:
    outputs, labels = torch.randn(2, 50, 4), torch.randint(4, (50,))

    found = measured(Classification("cross_entropy", 4), outputs, labels)

    answers = outputs.argmax(-1)
    assert found["accuracy"] == [accuracy_score(labels, own) for own in answers]
    assert found["balanced_accuracy"] == pytest.approx([balanced_accuracy_score(labels, own) for own in answers])


@pytest.mark.parametrize("counts", [(8, 8, 8), (1, 7, 13), (3, 0, 5), (11,)])
def test_a_perfect_split_has_a_balanced_accuracy_of_exactly_1(counts: tuple[int, ...]) -> None:
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))

    found = measured(MULTI, nn.functional.one_hot(labels, 4).double().unsqueeze(0), labels)

    assert found["balanced_accuracy"] == [1.0]


def test_where_outputs_tie_the_first_class_is_the_answer() -> None:
    outputs = torch.tensor([[[1.0, 1.0, 0.0], [0.0, 2.0, 2.0], [0.0, 0.0, 0.0], [0.0, 3.0, 1.0]]])

    right = is_right(outputs, torch.tensor([[1, 1, 0, 1]]))

    assert right.tolist() == [[False, True, True, True]]


def test_a_single_logit_answers_by_its_sign() -> None:
    outputs = torch.tensor([[[2.0], [-1.0], [0.5], [-3.0]]])

    assert is_right(outputs, torch.tensor([[1, 1, 0, 0]])).tolist() == [[True, False, False, True]]


@pytest.mark.parametrize("num_outputs", [4, 1])
def test_probabilities_sum_to_1_and_agree_with_the_answers(num_outputs: int) -> None:
    outputs = torch.randn(9, num_outputs)

    shares = probabilities(outputs)

    torch.testing.assert_close(shares.sum(-1), torch.ones(9))
    assert torch.equal(shares.argmax(-1), predicted_classes(outputs))


def test_the_largest_class_is_said_by_its_label_with_the_shares_of_all() -> None:
    said, constant = MULTI.constant(batches([2, 0, 2], [2, 1]), 3, ["low", "middle", "high"])

    assert said == {"kind": "majority_class", "label": "high"}
    torch.testing.assert_close(constant.softmax(0), torch.tensor([0.2, 0.2, 0.6], dtype=torch.float64))


def test_a_single_logit_says_the_share_of_the_second_class() -> None:
    said, constant = BINARY.constant(batches([1, 0, 0, 0]), 1, None)

    assert said["label"] == "0"
    assert constant.sigmoid().tolist() == pytest.approx([0.25])


def test_binary_cross_entropy_is_refused_for_three_classes() -> None:
    assert "needs two classes" in (Classification.loss_problem("binary_cross_entropy", 3) or "")
    assert Classification.loss_problem("binary_cross_entropy", 2) is None


def test_the_five_best_of_five_classes_are_no_metric() -> None:
    assert "top5_accuracy" not in Classification.metrics_with(5)
    assert "top5_accuracy" in Classification.metrics_with(6)
