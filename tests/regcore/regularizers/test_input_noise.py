import pytest
import torch
from effects import augmented
from scipy.stats import kstest

from regcore import make_plan
from regcore.data.rows import Batch
from regcore.errors import SpecError
from regcore.regularizers import Surroundings
from regcore.regularizers.input_noise import InputNoise
from regcore.shapes import RowInfo
from regcore.tasks import Classification, Reconstruction

Y = torch.zeros(1, 200, dtype=torch.int64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noise_is_gaussian_with_each_members_own_deviation(dtype):
    x = torch.randn(1, 200, 10, dtype=dtype)

    noise = augmented([InputNoise(std=std) for std in (0.5, 2.0)], Batch(x, Y)).x - x

    for part, std in zip(noise, (0.5, 2.0), strict=True):
        assert kstest(part.flatten().double().numpy() / std, "norm").pvalue > 1e-3
    assert abs(float(torch.corrcoef(noise.flatten(1))[0, 1])) < 0.1


def test_on_average_it_is_the_l2_penalty_of_a_linear_model():
    std, num_draws = 0.7, 400
    x, weight = torch.randn(1, 200, 4, dtype=torch.float64), torch.tensor([1.0, -2.0, 0.5, 0.0], dtype=torch.float64)
    target = torch.randn(200, dtype=torch.float64)

    noisy = augmented([InputNoise(std=std)] * num_draws, Batch(x, Y)).x

    losses = ((noisy @ weight - target).square() / 2).mean(1)
    expected = ((x[0] @ weight - target).square() / 2).mean() + std**2 / 2 * weight.square().sum()
    assert float(losses.mean()) == pytest.approx(float(expected), abs=4 * float(losses.std()) / num_draws**0.5)


def test_padding_stays_and_a_deviation_of_0_changes_nothing():
    lengths = torch.randint(1, 6, (1, 200))
    in_use = torch.arange(5) < lengths.unsqueeze(2)
    x = torch.randn(1, 200, 5, 3) * in_use.unsqueeze(3)
    batch = Batch(x, Y, lengths)

    noisy = augmented([InputNoise(std=std) for std in (0.0, 1.0)], batch).x

    assert torch.equal(noisy[0], x[0])
    assert torch.equal((noisy[1] != x[0]).all(2), in_use[0])


def test_an_autoencoder_learns_to_take_the_noise_away():
    x = torch.randn(1, 200, 3)

    batch = augmented([InputNoise(std=1.0)], Batch(x, x), task=Reconstruction("mse"))

    assert torch.equal(batch.y, x)
    assert not torch.equal(batch.x, x)


def test_tokens_are_refused_and_negative_deviations_too(make_job):
    problem = InputNoise(std=1.0).needs(Surroundings(Classification, 1, row=RowInfo((7,), tokens=20, varies=True)))

    assert "input_noise needs rows of numbers, and these rows are tokens, (7,) of varying length" in problem
    with pytest.raises(SpecError, match="std"):
        make_plan(make_job(regularizers=[{"kind": "input_noise", "std": -1.0}]))
