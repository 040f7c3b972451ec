import pytest
import torch
from effects import bind_effect

from regcore import make_plan, train
from regcore.at import At
from regcore.data.rows import Batch
from regcore.errors import SpecError
from regcore.regularizers.label_smoothing import LabelSmoothing
from regcore.tasks import Classification

EPSILONS = (0.0, 0.1, 1.0)
WEIGHTS = torch.tensor([0.5, 2.0, 1.0])


def smoothed_losses(task, logits, y):
    """The loss of each row once its targets are smoothed, for a member of each ε."""
    members = [LabelSmoothing(epsilon=epsilon) for epsilon in EPSILONS]
    effect = bind_effect(members, {"head.weight": torch.zeros(3, 1, 1)}, task)
    batch = effect.on_batch(Batch(torch.zeros(1, *y.shape), y.unsqueeze(0)), At(0, 1, 1, (1, 2, 3)))
    return task.row_losses(logits.expand(3, *logits.shape), batch.y)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "class weights"])
def test_it_is_the_label_smoothing_of_torch(weights):
    logits, y = torch.randn(7, 3, generator=torch.Generator().manual_seed(1)).double(), torch.arange(7) % 3

    losses = smoothed_losses(Classification("cross_entropy", 3, weights), logits, y)

    weights = None if weights is None else weights.double()
    for epsilon, ours in zip(EPSILONS, losses, strict=True):
        expected = torch.nn.functional.cross_entropy(
            logits, y, weight=weights, label_smoothing=epsilon, reduction="none"
        )
        torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("weights", [None, WEIGHTS[:2]], ids=["plain", "class weights"])
def test_a_single_logit_is_smoothed_as_two_would_be(weights):
    logit, y = torch.randn(7, 1, generator=torch.Generator().manual_seed(1)).double(), torch.arange(7) % 2

    one = smoothed_losses(Classification("binary_cross_entropy", 2, weights), logit, y)

    two = smoothed_losses(Classification("cross_entropy", 2, weights), torch.cat([-logit / 2, logit / 2], dim=1), y)
    torch.testing.assert_close(one, two)


def test_only_the_objective_is_smoothed(make_job):
    still = {"kind": "sgd", "learning_rate": 1e-9}

    clean = train(make_job(optimizer=still)).history[-1]["values"]
    smoothed = train(make_job(optimizer=still, regularizers=[{"kind": "label_smoothing", "epsilon": 0.9}]))

    values = smoothed.history[-1]["values"]
    assert abs(values["objective/data"] - clean["objective/data"]) > 1e-3
    for name in ("train/loss", "validation/loss", "test/loss"):
        assert values[name] == pytest.approx(clean[name], abs=1e-6)


def test_numbers_cannot_be_smoothed(make_job):
    with pytest.raises(SpecError, match="label_smoothing needs classes to spread over, and this task is regression"):
        make_plan(
            make_job(
                data={"kind": "builtin", "name": "diabetes"}, regularizers=[{"kind": "label_smoothing", "epsilon": 0.1}]
            )
        )


def test_two_of_it_are_doubtful(make_job):
    plan = make_plan(make_job(regularizers=[{"kind": "label_smoothing", "epsilon": 0.1}] * 2))

    (warning,) = plan.warnings
    assert (warning.code, warning.pointer) == ("label_smoothing_twice", "/regularizers/1")
