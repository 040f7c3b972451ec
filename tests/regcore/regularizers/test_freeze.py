import itertools

import pytest
import torch

from regcore import make_plan, train, train_many
from regcore.errors import SpecError, TrainingStopped
from regcore.loop.network import first_tensors

FIRST = {"kind": "freeze", "select": {"include": ["linear1.*"]}}
NORMALIZED = {
    "kind": "layers",
    "layers": [
        {"kind": "linear", "features": 8},
        {"kind": "batch_norm"},
        {"kind": "activation"},
        {"kind": "linear", "features": 8},
        {"kind": "batch_norm"},
        {"kind": "linear"},
    ],
}
SGD = {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9}
ADAM = {"kind": "adam", "learning_rate": 0.01}
OTHERS = [
    {"kind": "weight_decay", "strength": 0.1},
    {"kind": "l1", "strength": 0.01},
    {"kind": "max_norm", "max_value": 0.1},
    {"kind": "sam", "rho": 0.05},
    {"kind": "ema", "decay": 0.9},
]


@pytest.fixture
def job(make_job):
    def make(**changes):
        return make_job(**({"training": {"epochs": 2, "batch_size": 32, "seed": 3}, "regularizers": [FIRST]} | changes))

    return make


def begun(job):
    plan = make_plan(job)
    first = first_tensors(plan.layers, plan.row, plan.resolved_spec.training.seed)
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in first.items()}


def moved(job, result):
    """Names of the tensors that are not as they began, to the bit."""
    first = begun(job)
    return {name for name, tensor in result.model.state_dict().items() if not torch.equal(tensor, first[name])}


@pytest.mark.parametrize("optimizer", [SGD, ADAM], ids=["sgd", "adam"])
def test_frozen_tensors_keep_every_bit_beside_all_that_moves_weights(job, optimizer):
    spec = job(optimizer=optimizer, regularizers=[*OTHERS, FIRST])

    assert moved(spec, train(spec)) == {"head.weight", "head.bias"}


def test_every_member_keeps_its_own_and_none_has_a_state_of_the_optimizer(job, make_trainer):
    specs = [job(training={"epochs": 1, "batch_size": 32, "seed": seed}, optimizer=ADAM) for seed in (1, 2)]

    assert [moved(spec, result) for spec, result in zip(specs, train_many(specs), strict=True)] == [
        {"head.weight", "head.bias"}
    ] * 2
    stack = make_trainer(*specs).stack
    assert stack.tree["update"]["mean"].keys() == {"head.weight", "head.bias"}


def test_what_goes_on_from_a_checkpoint_has_the_same_bits(job, tmp_path):
    spec, calls = job(optimizer=ADAM), itertools.count()
    with pytest.raises(TrainingStopped):
        train(spec, resume_from=tmp_path, should_stop=lambda: next(calls) == 4)

    assert train(spec, resume_from=tmp_path).weights_sha256 == train(spec).weights_sha256


def test_the_gradient_of_the_rest_is_that_of_torch_with_frozen_parameters(job):
    spec = job(
        optimizer={"kind": "sgd", "learning_rate": 0.1, "momentum": 0.0},
        training={"epochs": 1, "batch_size": "full", "seed": 3},
    )
    result = train(spec)

    first = begun(spec)
    x, y = result.data.train.x, result.data.train.y
    weight, bias = (first[name].clone().requires_grad_() for name in ("head.weight", "head.bias"))
    hidden = torch.relu(x.flatten(1) @ first["linear1.weight"].mT + first["linear1.bias"])
    torch.nn.functional.cross_entropy(hidden @ weight.mT + bias, y).backward()
    expected = weight.detach() - 0.1 * weight.grad
    torch.testing.assert_close(result.model.state_dict()["head.weight"], expected, rtol=1e-5, atol=1e-6)


def test_by_default_all_but_the_output_layer_is_frozen(job):
    spec = job(model=NORMALIZED, regularizers=[{"kind": "freeze"}])

    assert moved(spec, train(spec)) == {"head.weight", "head.bias"}


def test_a_frozen_normalization_computes_and_stays_as_when_the_model_predicts(job):
    names = ["batch_norm1.weight", "batch_norm1.bias", "batch_norm2.weight"]
    spec = job(model=NORMALIZED, regularizers=[{"kind": "freeze", "select": {"include": names}}])

    changed = moved(spec, train(spec))

    # The second one has an offset to learn, and so its running statistics go on.
    assert not {name for name in changed if name.startswith("batch_norm1")}
    assert {"batch_norm2.running_mean", "batch_norm2.bias", "linear1.weight"} <= changed
    assert "batch_norm2.weight" not in changed


def test_inside_an_opaque_model_normalizations_are_frozen_too(job):
    resnet = {"kind": "torchvision", "name": "resnet18", "small_images": False}
    spec = job(
        model=resnet,
        data={"train_limit": 20},
        training={"epochs": 1, "batch_size": 20},
        regularizers=[{"kind": "freeze", "select": {"include": ["*"], "exclude": ["layer4.*", "fc.*"]}}],
    )
    changed = moved(spec, train(spec))

    assert {name.partition(".")[0] for name in changed} == {"layer4", "fc"}
    assert "layer4.0.bn1.running_mean" in changed


@pytest.mark.parametrize(
    ("regularizers", "pointer", "message"),
    [
        (
            [{"kind": "freeze", "select": {"include": ["*"]}}],
            "/regularizers/0/select",
            "every tensor of the model is f",
        ),
        ([{"kind": "freeze", "select": {"include": ["conv1.*"]}}], "/regularizers/0/select", "select must match at le"),
        (
            [FIRST, {"kind": "l2", "strength": 0.1, "select": {"include": ["linear1.*"]}}],
            "/regularizers/1/select",
            "select must match at least one parameter of head.weight, head.bias; received",
        ),
    ],
    ids=["all", "none", "nothing left for another"],
)
def test_what_cannot_be_is_refused_with_a_reason(job, regularizers, pointer, message):
    with pytest.raises(SpecError) as refused:
        make_plan(job(regularizers=regularizers))

    (error,) = refused.value.errors
    assert error.pointer == pointer
    assert error.message.startswith(message)


def test_a_model_of_one_layer_has_nothing_to_freeze_by_default(job):
    with pytest.raises(SpecError, match="the model has no other"):
        make_plan(job(model={"kind": "linear"}, regularizers=[{"kind": "freeze"}]))
