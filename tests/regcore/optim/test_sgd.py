import pytest
import torch
from pydantic import ValidationError

from regcore.optim import SGD

COSINE = {"kind": "cosine", "warmup_epochs": 1}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("schedule", [{"kind": "constant"}, COSINE])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True), (0.3, True)])
def test_one_member_steps_bit_for_bit_as_torch_does(run_ours, run_torchs, momentum, nesterov, schedule, dtype):
    spec = SGD(learning_rate=0.03, momentum=momentum, nesterov=nesterov, schedule=schedule)

    (ours,) = run_ours([spec], dtype=dtype)

    theirs = run_torchs(lambda w: torch.optim.SGD(w, momentum=momentum, nesterov=nesterov), spec, dtype=dtype)
    for name, weight in theirs.items():
        assert torch.equal(ours[name], weight)


@pytest.mark.parametrize("nesterov", [False, True])
def test_members_of_differing_numbers_step_as_they_would_alone(run_ours, nesterov):
    first = SGD(learning_rate=0.1, momentum=0.9, nesterov=nesterov)
    second = SGD(learning_rate=0.01, momentum=0.5, nesterov=nesterov, schedule=COSINE)

    together = run_ours([first, second], seeds=[1, 2])

    for member, spec, seed in zip(together, [first, second], [1, 2], strict=True):
        (alone,) = run_ours([spec], seeds=[seed])
        for name, weight in alone.items():
            torch.testing.assert_close(member[name], weight, rtol=1e-12, atol=1e-12)


def test_members_with_and_without_momentum_step_as_they_would_alone(run_ours):
    specs = [SGD(momentum=0.9), SGD(momentum=0)]

    together = run_ours(specs, seeds=[1, 2])

    (alone,) = run_ours(specs[1:], seeds=[2])
    torch.testing.assert_close(together[1], alone, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_reach_is_the_step_that_a_constant_gradient_ends_up_with(long_run_step, momentum, nesterov):
    moved, reach = long_run_step(SGD(learning_rate=0.2, momentum=momentum, nesterov=nesterov), num_steps=400)

    torch.testing.assert_close(moved, torch.full_like(moved, reach[0]))


def test_nesterov_without_momentum_is_refused_with_the_remedy():
    with pytest.raises(ValidationError, match=r"nesterov needs a momentum above 0.*Set momentum"):
        SGD(nesterov=True, momentum=0)


@pytest.mark.parametrize("momentum", [-0.1, 1, 1.5])
def test_momentum_is_from_0_to_below_1(momentum):
    with pytest.raises(ValidationError, match="momentum"):
        SGD(momentum=momentum)
