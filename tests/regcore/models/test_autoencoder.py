import pytest
from torch import nn
from twins import assert_same, built, with_weights

from regcore import make_plan
from regcore.errors import SpecError
from regcore.models.autoencoder import AutoencoderModel
from regcore.shapes import RowInfo

DENSE = {"kind": "autoencoder"}
CONVOLUTIONAL = {"kind": "autoencoder", "convolutional": True}


def test_a_dense_one_is_the_network_written_by_hand():
    row = RowInfo((2, 3, 4))
    network = built(DENSE | {"hidden": [7, 5], "code": 3}, row, num_outputs=24)
    encoder = nn.Linear(24, 7), nn.ReLU(), nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3)
    decoder = nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 24)

    assert_same(network, with_weights(nn.Sequential(nn.Flatten(), *encoder, *decoder), network), row)


def test_a_convolutional_one_is_the_network_written_by_hand():
    row = RowInfo((1, 28, 28))
    network = built(CONVOLUTIONAL | {"hidden": [4, 6], "code": 3}, row)
    there = nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.ReLU()
    code = nn.Flatten(), nn.Linear(6 * 49, 3), nn.Linear(3, 6 * 49), nn.ReLU(), nn.Unflatten(1, (6, 7, 7))
    twice = {"stride": 2, "padding": 1, "output_padding": 1}
    back = nn.ConvTranspose2d(6, 4, 3, **twice), nn.ReLU(), nn.ConvTranspose2d(4, 1, 3, **twice)

    assert_same(network, with_weights(nn.Sequential(*there, *code, *back), network), row)


@pytest.mark.parametrize("shape", [(1, 7, 9), (3, 1, 2), (2, 13, 8)])
@pytest.mark.parametrize("hidden", [[2], [2, 3, 4]])
def test_a_convolutional_one_gives_images_of_the_size_that_it_gets(shape, hidden):
    seen = RowInfo(shape)

    for layer in AutoencoderModel(hidden=hidden, code=2, convolutional=True).expand(seen):
        seen = layer.output(seen)

    assert seen.shape == shape


def test_it_makes_the_task_reconstruction_and_names_its_code(make_job):
    plan = make_plan(make_job(model=DENSE | {"hidden": [9], "code": 2}))

    assert (plan.task, plan.num_outputs, plan.loss) == ("reconstruction", 64, "mse")
    assert plan.resolved_spec.task.kind == "reconstruction"
    assert {one.name: one.shape for one in plan.parameters}["code.weight"] == (2, 9)


def test_a_loss_may_be_said_without_the_task(make_job):
    plan = make_plan(make_job(model=DENSE, task={"loss": "binary_cross_entropy"}))

    assert (plan.task, plan.loss) == ("reconstruction", "binary_cross_entropy")


@pytest.mark.parametrize(
    ("change", "pointer", "message"),
    [
        ({"task": {"kind": "classification"}}, "/task/kind", "task.kind must be reconstruction for the model auto"),
        ({"data": {"name": "wine"}, "model": CONVOLUTIONAL}, "/model", "a convolutional autoencoder expects (C, H, W)"),
        ({"model": CONVOLUTIONAL | {"hidden": []}}, "/model", "a convolutional autoencoder expects"),
    ],
)
def test_what_it_cannot_be_is_refused(make_job, change, pointer, message):
    with pytest.raises(SpecError) as refused:
        make_plan(make_job(**({"model": DENSE, "data": {"train_limit": 60}} | change)))

    (error,) = refused.value.errors
    assert error.pointer == pointer
    assert error.message.startswith(message)
