import pytest
import torch
from pydantic import ValidationError

from regcore.optim import Adam, AdamW

STEP = {"kind": "step", "every_epochs": 1, "gamma": 0.5}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("schedule", [{"kind": "constant"}, STEP])
@pytest.mark.parametrize(("beta1", "beta2", "eps"), [(0.9, 0.999, 1e-8), (0.0, 0.99, 1e-8), (0.95, 0.9, 1e-3)])
def test_one_member_steps_bit_for_bit_as_torch_does(run_ours, run_torchs, beta1, beta2, eps, schedule, dtype):
    spec = Adam(learning_rate=0.02, beta1=beta1, beta2=beta2, eps=eps, schedule=schedule)

    (ours,) = run_ours([spec], dtype=dtype)

    theirs = run_torchs(lambda w: torch.optim.Adam(w, betas=(beta1, beta2), eps=eps), spec, dtype=dtype)
    for name, weight in theirs.items():
        assert torch.equal(ours[name], weight)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("weight_decay", [0.0, 0.01, 0.5])
def test_adamw_decays_every_parameter_bit_for_bit_as_torch_does(run_ours, run_torchs, weight_decay, dtype):
    spec = AdamW(learning_rate=0.02, weight_decay=weight_decay, schedule=STEP)

    (ours,) = run_ours([spec], dtype=dtype)

    theirs = run_torchs(lambda w: torch.optim.AdamW(w, weight_decay=weight_decay), spec, dtype=dtype)
    for name, weight in theirs.items():
        assert torch.equal(ours[name], weight)


def test_adamw_decays_by_nothing_unless_asked():
    assert AdamW().weight_decay == 0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Adam(learning_rate=0.1), Adam(learning_rate=0.01, schedule=STEP)),
        (AdamW(learning_rate=0.1, weight_decay=0.1), AdamW(learning_rate=0.01)),
        (Adam(beta1=0.9), Adam(beta1=0.5)),
        (Adam(beta2=0.999), Adam(beta2=0.9)),
        (Adam(eps=1e-8), Adam(eps=1e-2)),
    ],
)
def test_members_of_differing_numbers_step_as_they_would_alone(run_ours, first, second):
    together = run_ours([first, second], seeds=[1, 2])

    for member, spec, seed in zip(together, [first, second], [1, 2], strict=True):
        (alone,) = run_ours([spec], seeds=[seed])
        torch.testing.assert_close(member, alone, rtol=1e-12, atol=1e-12)


def test_reach_is_the_step_that_a_constant_gradient_ends_up_with(long_run_step):
    moved, reach = long_run_step(Adam(learning_rate=0.2, beta2=0.9), num_steps=300)

    torch.testing.assert_close(moved, reach)


@pytest.mark.parametrize("field", ["beta1", "beta2"])
@pytest.mark.parametrize("value", [-0.1, 1])
def test_betas_are_from_0_to_below_1(field, value):
    with pytest.raises(ValidationError, match=field):
        Adam(**{field: value})


def test_adamw_is_not_taken_for_adam():
    with pytest.raises(ValidationError, match="weight_decay"):
        Adam(weight_decay=0.1)
