import numpy as np
import pytest
import torch
from effects import bind_effect

from regcore import train
from regcore.regularizers.max_norm import MaxNorm


def keras_max_norm(kernel, max_value, axis=0):
    """As keras.constraints.MaxNorm computes it; a kernel of Keras has the units last."""
    norms = np.sqrt(np.sum(np.square(kernel), axis=axis, keepdims=True))
    return kernel * np.clip(norms, 0, max_value) / (1e-7 + norms)


def test_it_is_the_constraint_of_keras():
    before = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    before *= torch.linspace(0.2, 2.0, 6).view(6, 1)  # some units are inside the ball, some are not
    weights = {"head.weight": before.clone()}

    bind_effect([MaxNorm(max_value=2.0), MaxNorm(max_value=2.5)], weights).after_step(weights, None, None)

    for k, max_value in enumerate((2.0, 2.5)):
        expected = keras_max_norm(before[k].numpy().T, max_value)
        np.testing.assert_allclose(weights["head.weight"][k].numpy().T, expected, rtol=1e-6)
        is_inside = before[k].norm(dim=1) <= max_value
        assert is_inside.any()
        assert not is_inside.all()
        assert torch.equal(weights["head.weight"][k][is_inside], before[k][is_inside])


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_every_unit_of_a_finished_network_is_in_its_ball(make_job, optimizer):
    job = make_job(optimizer={"kind": optimizer, "learning_rate": 0.1})

    largest = []
    for regularizers in ([], [{"kind": "max_norm", "max_value": 0.5}]):
        state = train(job | {"regularizers": regularizers}).model.state_dict()
        largest.append(max(float(state[name].norm(dim=1).max()) for name in ("linear1.weight", "head.weight")))

    assert largest[0] > 0.6
    assert largest[1] <= 0.5


def test_a_unit_of_a_convolution_is_a_filter(make_job):
    layers = [{"kind": "conv2d", "channels": 4, "kernel_size": 3}, {"kind": "linear"}]
    job = make_job(model={"kind": "layers", "layers": layers}, regularizers=[{"kind": "max_norm", "max_value": 0.3}])

    weight = train(job).model.state_dict()["conv2d1.weight"]

    norms = weight.flatten(1).norm(dim=1)
    assert norms.max() == pytest.approx(0.3, rel=1e-5)
    assert norms.min() > 0.2


def test_biases_are_held_where_they_are_named(make_job):
    regularizer = {"kind": "max_norm", "max_value": 1e-3, "select": {"include": ["head.*"]}}

    state = train(make_job(regularizers=[regularizer])).model.state_dict()

    assert state["head.bias"].abs().max() <= 1e-3
    assert state["linear1.weight"].norm(dim=1).min() > 0.1
