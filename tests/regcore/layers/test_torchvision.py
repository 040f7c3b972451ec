"""torchvision's models as one layer; `test_base.py` holds its tensors and outputs to its module."""

from typing import get_args

import pytest
import torch
from torchvision.models import get_model

from regcore import make_plan, train
from regcore.artifacts import write_artifacts
from regcore.errors import SpecError
from regcore.layers.torchvision import ModelName, Torchvision, build
from regcore.loop.network import StackedNetwork, first_tensors
from regcore.predict import load_predictor
from regcore.shapes import RowInfo

RESNET = {"kind": "torchvision", "name": "resnet18", "small_images": False}
CPU = {"dtype": torch.float64, "device": torch.device("cpu"), "autocast": False}


def layered(*layers):
    return {"kind": "layers", "layers": list(layers)}


def test_for_large_colour_images_it_is_torchvisions_own():
    torch.manual_seed(0)
    ours = build("resnet18", shape=(3, 40, 40), num_outputs=7, small_images=False).eval()
    torch.manual_seed(0)
    theirs = get_model("resnet18", num_classes=7).eval()

    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)
    x = torch.randn(1, 3, 40, 40)
    assert torch.equal(ours(x), theirs(x))


def test_for_small_images_it_begins_without_stride_and_pooling():
    ours = build("resnet18", shape=(1, 16, 16), num_outputs=7, small_images=True)
    sizes = {}
    for name in ("maxpool", "layer4"):
        ours.get_submodule(name).register_forward_hook(
            lambda _, inputs, outputs, name=name: sizes.update({name: tuple(outputs.shape[1:])})
        )

    ours.eval()(torch.randn(1, 1, 16, 16))

    assert sizes == {"maxpool": (64, 16, 16), "layer4": (512, 2, 2)}


@pytest.mark.parametrize("name", get_args(ModelName))
def test_shapes_follow_from_the_images_and_the_outputs(name):
    small, seen = Torchvision(name=name, features=7), RowInfo((1, 32, 32))

    with torch.device("meta"):
        module = small.module(seen).eval()
        outputs = module(torch.empty(1, 1, 32, 32))

    state = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    assert {info.name: info.shape for info in small.tensors(seen)} == state
    assert outputs.shape == (1, 7)


def test_patches_must_divide_a_square_image():
    vit = Torchvision(name="vit_b_16", features=7)

    for shape in ((3, 30, 30), (3, 32, 28)):
        with pytest.raises(ValueError, match="square images for vit_b_16, of a side that its patches of 4×4 divide"):
            vit.output(RowInfo(shape))


def test_a_model_without_batch_normalization_takes_batches_of_one_row():
    swin, resnet = (Torchvision(name=name, features=7) for name in ("swin_t", "resnet18"))

    assert (swin.least_rows(RowInfo((3, 8, 8))), resnet.least_rows(RowInfo((3, 8, 8)))) == (1, 2)


def test_the_values_that_it_computes_are_estimated_from_the_images_size():
    plain, small = (Torchvision(name="resnet18", features=10, small_images=each) for each in (False, True))

    at_64 = plain.num_values(RowInfo((3, 64, 64)))

    assert plain.num_values(RowInfo((3, 128, 128))) == pytest.approx(4 * at_64, rel=0.01)
    # Without the stride and the pooling in front, the blocks see of 16×16 what they see of 64×64; the stem sees less.
    assert 0.7 * at_64 < small.num_values(RowInfo((3, 16, 16))) < at_64


def test_its_multiplications_are_the_published_ones():
    resnet = Torchvision(name="resnet18", features=1000, small_images=False)

    products = resnet.num_products(RowInfo((3, 224, 224)))

    assert products == pytest.approx(1.82e9, rel=0.01)  # torchvision's page of the model: 1.81 GFLOPS


def test_first_values_follow_from_the_members_seed(make_job):
    def first(seed):
        plan = make_plan(make_job(model=RESNET, training={"seed": seed}))
        return StackedNetwork([plan], **CPU).member_state(0)

    torch.manual_seed(5)
    one = first(1)
    before = torch.get_rng_state()
    again, other = first(1), first(2)

    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["fc.weight"], other["fc.weight"])
    # as torchvision draws them: mean 0, variance 2 / (filters · window)
    assert one["layer2.0.conv1.weight"].std().item() == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)


def test_resnet18_learns_small_images_and_predicts_as_the_plain_module_under_its_own_names(make_job, tmp_path):
    job = make_job(
        model={"kind": "torchvision", "name": "resnet18"},
        data={"train_limit": 200, "validation_fraction": 0.0, "test_fraction": 0.1},
        optimizer={"kind": "adam", "learning_rate": 1e-3},
        training={"epochs": 3, "batch_size": 10, "eval_every_epochs": 3},
    )
    result = train(job)

    write_artifacts(result, tmp_path)
    raw = result.data.test.x[:5].numpy() * 16
    predicted = load_predictor(tmp_path).predict_proba(raw)

    # A plain loop of 60 such steps gets 0.81 to 0.84 of the test images right, by the seed; guessing gets a tenth.
    assert result.metrics["test/accuracy"] > 0.6
    plain = build("resnet18", shape=(1, 8, 8), num_outputs=10, small_images=True).eval()
    plain.load_state_dict(result.model.state_dict())
    expected = plain(result.data.test.x[:5]).detach().double().softmax(1)
    torch.testing.assert_close(torch.from_numpy(predicted), expected, rtol=1e-4, atol=1e-5)
    assert result.plan.parameters[0].name == "conv1.weight"


def test_it_descends_as_torch_does(make_job):
    job = make_job(
        model=RESNET,
        data={"train_limit": 12, "validation_fraction": 0.0, "test_fraction": 0.02},
        optimizer={"kind": "sgd", "learning_rate": 0.01, "momentum": 0.9},
        training={"epochs": 2, "batch_size": "full", "precision": "float64", "eval_every_epochs": 2},
    )
    result = train(job)

    plain = build("resnet18", shape=(1, 8, 8), num_outputs=10, small_images=False).double()
    plain.load_state_dict(first_tensors(result.plan.layers, result.plan.row, result.plan.resolved_spec.training.seed))
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.01, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(plain(result.data.train.x), result.data.train.y).backward()
        optimizer.step()
    torch.testing.assert_close(dict(result.model.state_dict()), dict(plain.state_dict()), rtol=1e-7, atol=1e-9)


def test_penalties_act_on_its_convolutions_and_its_matrix_alone(make_job):
    (planned,) = make_plan(make_job(model=RESNET, regularizers=[{"kind": "l2", "strength": 0.1}])).regularizers

    assert {name.rpartition(".")[0] for name in planned.parameters} >= {"conv1", "layer4.1.conv2", "fc"}
    assert not any(".bn" in name or name.endswith("bias") for name in planned.parameters)


@pytest.mark.parametrize(
    ("change", "pointer", "message"),
    [
        (
            {"regularizers": [{"kind": "dropout", "p": 0.1}]},
            "/regularizers/0",
            "dropout inserts layers, and torchvision is opaque: it takes none. Leave dropout out",
        ),
        (
            {"regularizers": [{"kind": "dropout", "p": 0.1, "where": "input"}]},
            "/regularizers/0",
            "dropout inserts layers, and torchvision is opaque",
        ),
        (
            {"model": RESNET | {"weights": "V3"}},
            "/model/weights",
            "model.weights: must be null, for random first weights",
        ),
        ({"model": RESNET | {"name": "resnet19"}}, "/model/name", "model.name must be one of resnet18, resnet34, "),
        (
            {"model": RESNET | {"name": "convnext_tiny"}},
            "/model",
            "layers[0] torchvision expects images of at least 32×32 for convnext_tiny, or 16×16 with small_images; it",
        ),
        (
            {"model": RESNET | {"name": "vit_b_16"}},
            "/model",
            "layers[0] torchvision expects images of at least 16×16 for vit_b_16, or 4×4 with small_images; it gets",
        ),
        ({"training": {"batch_size": 1}}, "/training/batch_size", "torchvision needs at least 2 rows in every batch"),
        (
            {"data": {"name": "wine"}},
            "/model",
            "layers[0] torchvision expects (C, H, W); it gets (13,) from the rows",
        ),
        ({"model": layered({"kind": "dropout"}, RESNET)}, "/model", "torchvision is a whole model, from the rows to"),
        (
            {"model": layered(RESNET | {"features": 3}, {"kind": "linear"})},
            "/model",
            "torchvision is a whole model, from the rows to",
        ),
        (
            {"model": layered(RESNET, {"kind": "linear"})},
            "/model/layers/0",
            "layers[0] torchvision: features may be omitted",
        ),
    ],
)
def test_what_it_cannot_be_is_refused_with_a_reason(make_job, change, pointer, message):
    with pytest.raises(SpecError) as refused:
        make_plan(make_job(**({"model": RESNET, "data": {"train_limit": 60}} | change)))

    (error,) = refused.value.errors
    assert error.pointer == pointer
    assert error.message.startswith(message)


def test_it_trains_alone_and_the_plan_says_so(make_job):
    plan = make_plan(make_job(model=RESNET))

    assert plan.fusion_key is None
    assert plan.runs_alone == "It runs one by one, in no pass with other jobs: torchvision trains alone."
