import pytest
import torch
from effects import bind_effect
from scipy.stats import beta, kstest

from regcore import make_plan, train
from regcore.at import At
from regcore.data.rows import Batch
from regcore.errors import SpecError
from regcore.regularizers import Surroundings
from regcore.regularizers.mixup import Mixup
from regcore.shapes import RowInfo
from regcore.tasks import Classification, Regression

ALPHAS = (0.3, 1.0, 4.0)
CLASSES = Classification("cross_entropy", 3)


def mixed(batch, at, alphas=ALPHAS, task=CLASSES):
    """What the members of these α make of a batch."""
    effect = bind_effect(
        [Mixup(alpha=alpha) for alpha in alphas], {"head.weight": torch.zeros(len(alphas), 1, 1)}, task
    )
    return effect.on_batch(batch, at)


def at_step(step, seeds=(1, 2, 3), **place):
    return At(step, 10, 1000, seeds, **place)


def rows_by_number(num_rows, y):
    """Rows that say who they are: what is mixed can be read off them."""
    return Batch(torch.eye(num_rows, dtype=torch.float64).unsqueeze(0), y.unsqueeze(0))


def shares_of(x):
    """λ of each member, from rows by number that are not paired with themselves."""
    place = torch.arange(x.shape[1])
    own = x[:, place, place]
    return [float(of[of < 1].min()) if bool((of < 1).any()) else 1.0 for of in own]


@pytest.mark.parametrize(
    "task",
    [
        CLASSES,
        Classification("cross_entropy", 3, torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)),
        Classification("binary_cross_entropy", 2),
        Classification("binary_cross_entropy", 2, torch.tensor([0.5, 2.0], dtype=torch.float64)),
    ],
    ids=["classes", "weighted classes", "binary", "weighted binary"],
)
def test_the_loss_of_a_mixture_is_the_mixture_of_the_losses(task):
    y = torch.arange(8) % task.num_classes
    num_outputs = 1 if task.loss == "binary_cross_entropy" else 3
    logits = torch.randn(3, 8, num_outputs, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    batch = mixed(rows_by_number(8, y), at_step(4), task=task)

    losses = task.row_losses(logits, batch.y)
    for k, share in enumerate(shares_of(batch.x)):
        partners = (batch.x[k] - share * torch.eye(8)).argmax(1)
        first, second = (task.row_losses(logits[k : k + 1], labels.unsqueeze(0))[0] for labels in (y, y[partners]))
        torch.testing.assert_close(losses[k], share * first + (1 - share) * second)
        assert not torch.equal(partners, torch.arange(8))


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_proportions_follow_the_beta_distribution(alpha):
    batch = rows_by_number(6, torch.zeros(6, dtype=torch.int64))

    shares = [shares_of(mixed(batch, at_step(step, (7,)), (alpha,)).x)[0] for step in range(400)]

    # An order of six may pair each row with itself, and then tells nothing.
    assert kstest([share for share in shares if share < 1], beta(alpha, alpha).cdf).pvalue > 1e-3


def test_every_partner_is_as_likely_as_any_other():
    batch = rows_by_number(4, torch.zeros(4, dtype=torch.int64))
    counts = torch.zeros(4, 4)

    for step in range(600):
        counts += mixed(batch, at_step(step, (7,)), (1.0,)).x[0] > 0

    counts -= torch.diag(counts.diagonal())  # a row is part of its own mixture
    assert (counts[~torch.eye(4, dtype=torch.bool)] - 150).abs().max() < 60


def test_each_member_draws_from_its_own_stream_and_each_place_anew():
    batch = rows_by_number(16, torch.arange(16) % 3)

    together = mixed(batch, at_step(5), (1.0, 1.0, 1.0))

    alone = mixed(batch, at_step(5, (2,)), (1.0,))
    assert torch.equal(together.x[1:2], alone.x)
    assert torch.equal(together.y[1:2], alone.y)
    others = [together.x[0], together.x[2]]
    others += [mixed(batch, at, (1.0,)).x[0] for at in (at_step(6, (2,)), at_step(5, (2,), micro=1))]
    assert not any(torch.equal(alone.x[0], other) for other in others)


def test_alpha_0_mixes_nothing():
    batch = rows_by_number(8, torch.arange(8) % 3)

    assert torch.equal(mixed(batch, at_step(0, (1,)), (0.0,)).x, batch.x)


def test_numbers_are_mixed_as_rows_are():
    y = torch.randn(1, 8, dtype=torch.float64)
    batch = mixed(Batch(torch.eye(8, dtype=torch.float64).unsqueeze(0), y), at_step(0), task=Regression("mse"))

    torch.testing.assert_close(batch.y, (batch.x @ y[0]))


def test_a_mixture_of_sequences_is_as_long_as_the_longer_and_takes_nothing_of_the_padding():
    lengths = torch.tensor([[5, 1, 3, 2]])
    in_use = torch.arange(5) < lengths.unsqueeze(2)
    x = torch.where(in_use, 1.0, float("nan")).unsqueeze(3).nan_to_num(1e6)

    batch = mixed(Batch(x, torch.zeros(1, 4, dtype=torch.int64), lengths), at_step(3))

    assert batch.x.max() <= 1.0
    used = (batch.x.squeeze(3) > 0).sum(2)
    assert torch.equal(used, batch.lengths)
    assert (batch.lengths >= lengths).all()
    assert (batch.lengths > lengths).any()


def test_a_sequence_that_is_not_mixed_stays_as_long_as_it_is():
    lengths = torch.tensor([[5, 1, 3, 2]])
    x = (torch.arange(5) < lengths.unsqueeze(2)).double().unsqueeze(3)

    batch = mixed(Batch(x, torch.zeros(1, 4, dtype=torch.int64), lengths), at_step(3, (1, 2)), (0.0, 1.0))

    assert torch.equal(batch.lengths[:1], lengths)
    assert (batch.lengths[1] > lengths[0]).any()


def test_metrics_are_of_rows_as_they_are(make_job):
    still = {"kind": "sgd", "learning_rate": 1e-9}

    clean = train(make_job(optimizer=still)).history[-1]["values"]
    values = train(make_job(optimizer=still, regularizers=[{"kind": "mixup", "alpha": 1.0}])).history[-1]["values"]

    assert abs(values["objective/data"] - clean["objective/data"]) > 1e-4
    for name in ("train/loss", "train/accuracy", "validation/loss", "validation/accuracy"):
        assert values[name] == pytest.approx(clean[name], abs=1e-6)


def test_tokens_have_no_mixtures():
    tokens, numbers = RowInfo((7,), tokens=20, varies=True), RowInfo((7, 3), varies=True)

    problems = [Mixup(alpha=1.0).needs(Surroundings(Classification, 1, row=row)) for row in (tokens, numbers)]

    assert "these are tokens, which have no mixtures" in problems[0]
    assert problems[1] is None


def test_two_of_it_are_doubtful(make_job):
    plan = make_plan(make_job(regularizers=[{"kind": "mixup", "alpha": 0.1}] * 2))

    assert [warning.code for warning in plan.warnings] == ["mixup_twice"]


@pytest.mark.parametrize("alpha", [-0.1, 1e7, float("nan")])
def test_alpha_is_from_0_and_bounded(make_job, alpha):
    with pytest.raises(SpecError, match="alpha"):
        make_plan(make_job(regularizers=[{"kind": "mixup", "alpha": alpha}]))
