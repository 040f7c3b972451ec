import numpy as np
import pytest
import torch
from effects import bind_effect

from regcore import make_plan, train
from regcore.at import At
from regcore.loop.network import first_tensors
from regcore.passes import Slope
from regcore.regularizers.sam import Sam
from regcore.spec import apply_patch

LEAST_SQUARES = {
    "data": {"kind": "builtin", "name": "diabetes"},
    "model": {"kind": "linear"},
    "task": {"loss": "half_mse"},
    "optimizer": {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.0},
    "training": {"epochs": 5, "batch_size": "full", "precision": "float64"},
    "resources": {"device": "cpu"},
}


def with_sam(job, rho):
    return job | {"regularizers": [{"kind": "sam", "rho": rho}]}


def test_on_a_quadratic_each_step_is_the_closed_form():
    """∇L(w) = Aw − b, so the gradient uphill is g + ρ·Ag/‖g‖."""
    assert Sam.formula == "w ← w − η∇L(w + ρ∇L(w)/‖∇L(w)‖),  the norm over all learned tensors"
    rho = 0.5
    result = train(with_sam(LEAST_SQUARES, rho))
    x = np.hstack([result.data.train.x.numpy(), np.ones((len(result.data.train.x), 1))])
    y, start = result.data.train.y.numpy(), first_tensors(result.plan.layers, result.plan.row, seed=0)
    hessian, constant = x.T @ x / len(x), x.T @ y / len(x)

    weights = np.append(start["head.weight"].numpy(), start["head.bias"].numpy())
    for _ in range(5):
        gradient = hessian @ weights - constant
        weights = weights - 0.1 * (gradient + rho * hessian @ gradient / np.linalg.norm(gradient))

    ours = np.append(result.model.head.weight.detach().numpy(), result.model.head.bias.detach().numpy())
    np.testing.assert_allclose(ours, weights, rtol=1e-10, atol=1e-12)


def test_a_radius_of_zero_changes_no_bit(make_job):
    job = make_job(regularizers=[{"kind": "dropout", "p": 0.3}])

    with_zero = train(job | {"regularizers": [*job["regularizers"], {"kind": "sam", "rho": 0.0}]})

    assert with_zero.weights_sha256 == train(job).weights_sha256


def test_batch_norm_counts_and_averages_each_batch_once(make_job):
    """Buffers are those of the first pass: with a rate of next to nothing, the same as without it."""
    job = make_job(
        model={
            "kind": "layers",
            "layers": [{"kind": "linear", "features": 4}, {"kind": "batch_norm"}, {"kind": "linear"}],
        },
        optimizer={"kind": "sgd", "learning_rate": 1e-30},
    )

    buffers = [
        {name: tensor for name, tensor in train(each).model.state_dict().items() if "running" in name or "num" in name}
        for each in (job, with_sam(job, 1.0))
    ]

    assert buffers[1]["batch_norm1.num_batches_tracked"] == 2 * 4
    torch.testing.assert_close(buffers[1], buffers[0], rtol=0, atol=0)


def slopes_of(effect, weights, slope):
    """The places at which the effect asks for a slope, and what it makes of them."""
    places = []

    def asked(at_weights, at):
        places.append((at_weights, at))
        return slope(at_weights)

    return places, effect.gradients(asked, weights, At(4, 10, 10, (1, 2)))


def test_the_second_slope_sees_the_same_masks_and_only_its_gradient_counts():
    weights = {"head.weight": torch.ones(2, 3, 4), "head.bias": torch.ones(2, 3)}
    effect = bind_effect([Sam(rho=0.1), Sam(rho=0.2)], weights)

    places, found = slopes_of(
        effect, weights, lambda w: Slope(dict(w), {"data": w["head.bias"].sum(1)}, {"mean": w["head.bias"]})
    )

    (here, first), (uphill, second) = places
    assert first == second
    assert here is weights
    assert torch.equal(found.losses["data"], torch.tensor([3.0, 3.0]))
    assert torch.equal(found.buffers["mean"], weights["head.bias"])
    assert torch.equal(found.gradients["head.weight"], uphill["head.weight"])
    climbed = torch.cat([(uphill[name] - weights[name]).flatten(1) for name in weights], dim=1).norm(dim=1)
    torch.testing.assert_close(climbed, torch.tensor([0.1, 0.2]))


def test_where_there_is_no_slope_it_climbs_nowhere():
    weights = {"head.weight": torch.ones(2, 3, 4)}
    effect = bind_effect([Sam(rho=0.1), Sam(rho=0.2)], weights)

    places, _ = slopes_of(effect, weights, lambda w: Slope({"head.weight": torch.zeros(2, 3, 4)}, {}, {}))

    assert torch.equal(places[1][0]["head.weight"], weights["head.weight"])


def test_accumulation_is_warned_of_and_the_remedy_helps(make_job):
    job = with_sam(make_job(training={"grad_accumulation": 2}), 0.05)

    (warning,) = make_plan(job).warnings

    assert warning.code == "sam_with_accumulation"
    assert make_plan(apply_patch(job, warning.patch)).warnings == []


@pytest.mark.parametrize(("rho", "codes"), [(10, []), (11, ["climbs_too_far"])])
def test_a_place_too_far_uphill_is_doubted(make_job, rho, codes):
    assert [one.code for one in make_plan(make_job(regularizers=[{"kind": "sam", "rho": rho}])).warnings] == codes
