import pytest
import torch
from effects import bind_effect
from torch.nn import functional

from regcore import make_plan
from regcore.at import At
from regcore.data.rows import Batch
from regcore.errors import SpecError
from regcore.passes import Pass
from regcore.regularizers.r_drop import RDrop
from regcore.tasks import Classification

BATCH = Batch(torch.zeros(2, 5, 1), torch.zeros(2, 5, dtype=torch.int64))
HERE = At(3, 10, 100, (1, 2))
MEMBERS = [RDrop(strength=0.5), RDrop(strength=2.0)]


def two_passes(first, second):
    """A computation that gives the one or the other logits, and what it was asked."""
    places = []

    def compute(batch, at):
        places.append(at)
        assert batch is BATCH
        logits, size = (first, 1.0) if not at.draws else (second, 3.0)
        losses = torch.full((2, 5), size, dtype=torch.float64)
        return Pass(logits, losses, {"activity": losses / 10}, {"norm.mean": torch.tensor(size)})

    return compute, places


def drop(first, second, task=None):
    compute, places = two_passes(first, second)
    effect = bind_effect(MEMBERS, {"head.weight": torch.zeros(2, 1, 1)}, task or Classification("cross_entropy", 4))
    return effect.loss(compute, BATCH, HERE), places


def random_logits(num_outputs):
    stream = torch.Generator().manual_seed(3)
    return (torch.randn(2, 5, num_outputs, generator=stream, dtype=torch.float64) for _ in range(2))


def test_its_term_is_the_mean_of_both_divergences_of_torch():
    first, second = random_logits(4)

    found, _ = drop(first, second)

    a, b = first.log_softmax(-1), second.log_softmax(-1)
    both = functional.kl_div(a, b, reduction="none", log_target=True) + functional.kl_div(
        b, a, reduction="none", log_target=True
    )
    torch.testing.assert_close(found.terms["r_drop"], both.sum(-1) / 2 * torch.tensor([[0.5], [2.0]]))


def test_a_single_logit_is_as_two():
    first, second = random_logits(1)

    one, _ = drop(first, second, Classification("binary_cross_entropy", 2))

    two, _ = drop(*(torch.cat([-logit / 2, logit / 2], dim=-1) for logit in (first, second)))
    torch.testing.assert_close(one.terms["r_drop"], two.terms["r_drop"])


def test_losses_and_terms_are_of_both_passes_and_buffers_of_the_first():
    found, places = drop(*random_logits(4))

    assert found.losses.unique().tolist() == [2.0]
    assert found.terms["activity"].unique().tolist() == [0.2]
    assert found.buffers["norm.mean"] == 1.0
    assert places == [HERE, HERE.again("r_drop")]


def test_both_passes_are_pulled_towards_each_other():
    first, second = (logits.requires_grad_() for logits in random_logits(4))

    found, _ = drop(first, second)
    pulls = torch.autograd.grad(found.terms["r_drop"].sum(), [first, second])

    with torch.no_grad():
        nearer, _ = drop(first - 0.01 * pulls[0], second - 0.01 * pulls[1])
    assert all(pull.abs().max() > 0 for pull in pulls)
    assert (nearer.terms["r_drop"].sum(1) < found.terms["r_drop"].sum(1)).all()


def job_of(make_job, p, **changes):
    layers = [
        {"kind": "linear", "features": 8},
        {"kind": "activation"},
        {"kind": "dropout", "p": p},
        {"kind": "linear"},
    ]
    return make_job(
        model={"kind": "layers", "layers": layers}, regularizers=[{"kind": "r_drop", "strength": 1.0}], **changes
    )


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_it_is_0_and_doubted_where_nothing_is_random(make_job, make_trainer, p):
    trainer = make_trainer(job_of(make_job, p))

    trainer.stack.advance(trainer.stack.rows(0, 0))

    (penalty,) = (row["objective/penalty.r_drop"] for row in trainer.stack.measure())
    warnings = [warning.code for warning in trainer.members[0].plan.warnings]
    assert (penalty == 0) == (p == 0)
    assert warnings == (["nothing_random"] if p == 0 else [])


def test_numbers_have_no_probabilities_to_compare(make_job):
    with pytest.raises(SpecError, match="r_drop compares the probabilities of classes, and this task is regression"):
        make_plan(job_of(make_job, 0.5, data={"kind": "builtin", "name": "diabetes"}))
