import pytest
import torch

from regcore import make_plan
from regcore.at import At
from regcore.errors import SpecError
from regcore.layers import BatchNorm
from regcore.layers.forward import ForwardPass, bind
from regcore.shapes import RowInfo


def run(x, *, momentum=0.1, training=True, **tensors):
    """Through one layer of as many members as x has: outputs, and buffers by name."""
    num_members, num_channels = len(x), x.shape[2]
    layer = BatchNorm(momentum=momentum)
    first = {
        "weight": torch.ones(num_members, num_channels),
        "bias": torch.zeros(num_members, num_channels),
        "running_mean": torch.zeros(num_members, num_channels),
        "running_var": torch.ones(num_members, num_channels),
        "num_batches_tracked": torch.zeros(num_members, dtype=torch.int64),
    } | tensors
    own = {f"batch_norm1.{name}": t if t.dtype == torch.int64 else t.to(x.dtype) for name, t in first.items()}
    way = ForwardPass(own, At(0, 1, 1, tuple(range(num_members)), training))
    outputs = way.run(bind([[layer]] * num_members, RowInfo(tuple(x.shape[2:]))), x)
    return outputs, {name.removeprefix("batch_norm1."): tensor for name, tensor in way.buffers.items()}


@pytest.mark.parametrize("shape", [(7,), (7, 3, 2)], ids=["vectors", "images"])
def test_each_channel_of_each_member_gets_mean_0_and_variance_1(shape):
    x = torch.randn(3, 50, *shape, dtype=torch.float64) * 4 + 9

    y, _ = run(x)

    over = (1, *range(3, y.dim()))
    torch.testing.assert_close(y.mean(over), torch.zeros(3, 7, dtype=torch.float64))
    variance = x.var(over, correction=0)
    torch.testing.assert_close(y.var(over, correction=0), variance / (variance + 1e-5))


def test_a_running_mean_of_all_batches_is_the_mean_of_their_means():
    """With momentum null, where members may have seen different numbers of batches."""
    num_batches, old = torch.tensor([0, 3]), torch.tensor([[5.0, 5.0], [1.0, 2.0]])
    x = torch.randn(2, 20, 2, dtype=torch.float64)

    _, buffers = run(x, momentum=None, running_mean=old, num_batches_tracked=num_batches)

    expected = torch.stack([x[0].mean(0), (3 * old[1].double() + x[1].mean(0)) / 4])
    torch.testing.assert_close(buffers["running_mean"], expected)
    assert buffers["num_batches_tracked"].tolist() == [1, 4]


def test_evaluation_uses_the_running_numbers_and_leaves_them():
    x = torch.randn(1, 1, 2)

    y, buffers = run(x, training=False, running_mean=torch.tensor([[1.0, 2.0]]), running_var=torch.tensor([[4.0, 9.0]]))

    torch.testing.assert_close(y, (x - torch.tensor([1.0, 2.0])) / torch.tensor([2.0, 3.0]), rtol=1e-5, atol=1e-5)
    assert buffers == {}


@pytest.mark.parametrize(
    ("row", "accepted"),
    [
        (RowInfo((5,)), True),
        (RowInfo((5, 2, 2)), True),
        (RowInfo((5, 2)), True),
        (RowInfo((5, 2), varies=True), True),
        (RowInfo((5, 2, 2, 2)), False),
        (RowInfo((5, 2, 2), varies=True), False),
    ],
)
def test_it_takes_vectors_sequences_and_images(row, accepted):
    if accepted:
        assert BatchNorm().output(row) == row
    else:
        with pytest.raises(ValueError, match=r"batch_norm expects \(features,\), .* or \(C, H, W\); it gets"):
            BatchNorm().output(row)


VECTORS = [{"kind": "linear", "features": 4}, {"kind": "batch_norm"}, {"kind": "linear"}]
IMAGES = [{"kind": "batch_norm"}, {"kind": "linear"}]


@pytest.mark.parametrize(
    ("batch_size", "train_limit", "better"), [(33, 100, 34), (1, 100, 2), (99, 100, 100), (1, 101, 3), (2, 3, 3)]
)
def test_a_batch_of_one_row_is_refused_where_there_is_nothing_to_normalise_over(
    make_job, batch_size, train_limit, better
):
    job = make_job(
        data={"train_limit": train_limit},
        model={"kind": "layers", "layers": VECTORS},
        training={"batch_size": batch_size},
    )

    with pytest.raises(SpecError) as refused:
        make_plan(job)

    (error,) = refused.value.errors
    assert error.pointer == "/training/batch_size"
    assert error.message.startswith("batch_norm1 needs at least 2 rows in every batch")
    assert f"Take {better}." in error.message
    make_plan(make_job(**{name: job[name] for name in ("data", "model")}, training={"batch_size": better}))


def test_a_batch_of_one_image_has_pixels_to_normalise_over(make_job):
    make_plan(make_job(model={"kind": "layers", "layers": IMAGES}, training={"batch_size": 33}))


def test_dropout_in_front_of_it_is_doubted(make_job):
    layers = [{"kind": "dropout", "p": 0.1}, *IMAGES]

    (warning,) = make_plan(make_job(model={"kind": "layers", "layers": layers})).warnings

    assert warning.code == "dropout_before_batch_norm"
