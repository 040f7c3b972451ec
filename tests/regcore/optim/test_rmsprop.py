import pytest
import torch

from regcore.optim import RMSprop

COSINE = {"kind": "cosine"}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("schedule", [{"kind": "constant"}, COSINE])
@pytest.mark.parametrize(("alpha", "eps", "momentum"), [(0.99, 1e-8, 0.0), (0.9, 1e-3, 0.0), (0.99, 1e-8, 0.9)])
def test_one_member_steps_bit_for_bit_as_torch_does(run_ours, run_torchs, alpha, eps, momentum, schedule, dtype):
    spec = RMSprop(learning_rate=0.01, alpha=alpha, eps=eps, momentum=momentum, schedule=schedule)

    (ours,) = run_ours([spec], dtype=dtype)

    theirs = run_torchs(lambda w: torch.optim.RMSprop(w, alpha=alpha, eps=eps, momentum=momentum), spec, dtype=dtype)
    for name, weight in theirs.items():
        assert torch.equal(ours[name], weight)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (RMSprop(learning_rate=0.1), RMSprop(learning_rate=0.01, schedule=COSINE)),
        (RMSprop(momentum=0.9), RMSprop(momentum=0)),
        (RMSprop(alpha=0.99), RMSprop(alpha=0.5)),
        (RMSprop(eps=1e-8), RMSprop(eps=1e-2)),
    ],
)
def test_members_of_differing_numbers_step_as_they_would_alone(run_ours, first, second):
    together = run_ours([first, second], seeds=[1, 2])

    for member, spec, seed in zip(together, [first, second], [1, 2], strict=True):
        (alone,) = run_ours([spec], seeds=[seed])
        torch.testing.assert_close(member, alone, rtol=1e-12, atol=1e-12)


def test_reach_is_the_step_that_a_constant_gradient_ends_up_with(long_run_step):
    moved, reach = long_run_step(RMSprop(learning_rate=0.2, alpha=0.9, momentum=0.5), num_steps=300)

    torch.testing.assert_close(moved, reach)
