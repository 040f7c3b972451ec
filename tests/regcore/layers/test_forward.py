import torch
from pydantic import TypeAdapter

from regcore.at import At
from regcore.layers import Activation, Linear, complete, forward
from regcore.layers.forward import ForwardPass, Here, bind
from regcore.layers.global_pool import GlobalPool
from regcore.loop.network import first_tensors
from regcore.shapes import RowInfo
from regcore.spec.kinds import AnyLayer

AT = At(0, 1, 1, seeds=(0, 1))
LAYERS = [Linear(features=4), Activation(), Linear(features=2)]


def tensors(num_members=2):
    each = [first_tensors(LAYERS, RowInfo((3,)), seed) for seed in range(num_members)]
    return {name: torch.stack([own[name] for own in each]) for name in each[0]}


def test_a_layer_knows_its_place_its_tensors_and_what_feeds_a_nonlinearity():
    first, activation, head = bind([LAYERS, LAYERS], RowInfo((3,)))

    assert [node.label for node in (first, activation, head)] == ["linear1", "activation1", "head"]
    assert first.names == {"weight": "linear1.weight", "bias": "linear1.bias"}
    assert (activation.fed_by, head.fed_by) == ("linear1", None)
    assert head.seen == RowInfo((4,))


def test_only_watched_layers_leave_their_outputs():
    way = ForwardPass(tensors(), AT, watched=frozenset({"activation1"}))

    way.run(bind([LAYERS, LAYERS], RowInfo((3,))), torch.rand(1, 5, 3, dtype=torch.float64))

    assert list(way.outputs) == ["activation1"]
    assert way.outputs["activation1"].shape == (2, 5, 4)
    assert way.outputs["activation1"].min() >= 0


def test_a_pass_reads_the_tensors_that_it_is_given():
    nodes, x = bind([LAYERS, LAYERS], RowInfo((3,))), torch.rand(1, 5, 3, dtype=torch.float64)
    own = tensors()
    before = ForwardPass(own, AT).run(nodes, x)

    moved = ForwardPass({**own, "head.bias": own["head.bias"] + 1}, AT).run(nodes, x)
    again = ForwardPass(own, AT).run(nodes, x)

    torch.testing.assert_close(moved, before + 1)
    assert torch.equal(again, before)


def test_steps_in_use_are_those_below_a_rows_length():
    (node,) = bind([[Activation()], [Activation()]], RowInfo((3, 1), varies=True))

    used = Here(node, ForwardPass({}, AT, lengths=torch.tensor([[2, 3]]))).in_use(3)

    assert used.int().tolist() == [[[1, 1, 0], [1, 1, 1]]]


def test_watched_layers_come_with_the_lengths_of_their_rows():
    sequences = RowInfo((4, 5), varies=True)
    layers = complete(
        [Linear(features=3, per_step=True), Activation(name="tanh"), GlobalPool(), Linear()], sequences, 2
    )
    shapes = {"linear1.weight": (3, 5), "linear1.bias": (3,), "head.weight": (2, 3), "head.bias": (2,)}
    lengths = torch.tensor([[4, 1]])
    zeros = {name: torch.zeros(1, *shape) for name, shape in shapes.items()}
    way = ForwardPass(zeros, At(0, 1, 1), lengths, frozenset({"activation1", "head"}))

    way.run(bind([layers], sequences), torch.zeros(1, 2, 4, 5))

    assert way.outputs["activation1"].shape == (1, 2, 4, 3)
    assert way.outputs["head"].shape == (1, 2, 2)
    assert way.output_lengths.keys() == {"activation1"}
    assert torch.equal(way.output_lengths["activation1"], lengths)


IMAGES = RowInfo((1, 6, 6))
BLOCK = [{"kind": "conv2d", "channels": 8, "padding": 1}, {"kind": "batch_norm"}]
CONVOLUTIONS = [*BLOCK, {"kind": "residual", "layers": [*BLOCK, {"kind": "drop_path", "p": 0.5}]}, {"kind": "pool"}]


def a_pass_of_images(monkeypatch, many_values):
    """What a pass of two members leaves behind, and its gradients."""
    monkeypatch.setattr(forward, "MANY_VALUES", many_values)
    parsed = TypeAdapter(list[AnyLayer]).validate_python([*CONVOLUTIONS, {"kind": "dropout"}, {"kind": "linear"}])
    layers = complete(parsed, IMAGES, 3)
    each = [first_tensors(layers, IMAGES, seed) for seed in AT.seeds]
    own = {name: torch.stack([member[name] for member in each]) for name in each[0]}
    learned = [tensor.requires_grad_() for name, tensor in own.items() if name.endswith(("weight", "bias"))]
    x = torch.randn(2, 5, *IMAGES.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    nodes, way = bind([layers] * 2, IMAGES), ForwardPass(own, AT, watched=frozenset({"pool1"}))
    outputs = way.run(nodes, x)
    return nodes, {
        "outputs": outputs,
        "gradients": torch.autograd.grad(outputs.square().sum(), learned),
        "buffers": way.buffers,
        "watched": way.outputs,
    }


def test_images_of_many_values_go_through_their_layers_one_member_after_the_other(monkeypatch):
    nodes, together = a_pass_of_images(monkeypatch, many_values=2**17)
    _, apart = a_pass_of_images(monkeypatch, many_values=1)

    assert [node.num_apart for node in nodes] == [6, 0, 0, 0, 0, 0, 0]  # to the flatten, which sees images
    assert set(together["watched"]) == {"pool1"}
    assert "residual1.batch_norm1.running_var" in together["buffers"]
    torch.testing.assert_close(apart, together)


def test_layers_on_images_without_weights_and_one_member_are_not_taken_apart():
    pool = complete(TypeAdapter(list[AnyLayer]).validate_python([{"kind": "pool"}, {"kind": "linear"}]), IMAGES, 3)
    block = complete(TypeAdapter(list[AnyLayer]).validate_python([*BLOCK, {"kind": "linear"}]), IMAGES, 3)

    assert not any(node.num_apart for node in [*bind([pool] * 2, IMAGES), *bind([block], IMAGES)])
