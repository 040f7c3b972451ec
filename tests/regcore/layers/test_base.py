"""What holds for every layer: its plain module is its definition, without torch and for K members alike."""

from dataclasses import dataclass

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from regcore import train
from regcore.at import At
from regcore.layers import Layer, Linear, build_module, complete, walk_all
from regcore.layers.forward import ForwardPass, Here, bind
from regcore.shapes import RowInfo
from regcore.spec.kinds import LAYERS, AnyLayer

DIGITS = RowInfo((1, 8, 8))
COLOUR = RowInfo((3, 7, 6))
WITH_EXAMPLE = {
    kind: layer for kind, layer in LAYERS.items() if kind != "module" and layer.example_data == Layer.example_data
}

TOKENS = RowInfo((6,), tokens=9, varies=True)
STEPS = RowInfo((6, 4))
VARYING = RowInfo((6, 4), varies=True)

FORMS = [
    ({"kind": "conv2d", "channels": 4, "kernel_size": [3, 2], "stride": [2, 1], "padding": [0, 1]}, COLOUR),
    ({"kind": "conv2d", "channels": 4, "kernel_size": [3, 1], "padding": "same", "bias": False}, RowInfo((5, 7, 6))),
    ({"kind": "conv2d", "channels": 4, "padding": "valid"}, RowInfo((5, 7, 6))),
    ({"kind": "pool", "method": "mean", "size": [3, 2], "stride": 1}, COLOUR),
    ({"kind": "pool", "size": 2, "stride": [3, 2]}, COLOUR),
    ({"kind": "batch_norm", "momentum": 0.3, "eps": 0.1}, RowInfo((5,))),
    ({"kind": "batch_norm", "momentum": None}, COLOUR),
    ({"kind": "batch_norm", "momentum": 0}, COLOUR),
    ({"kind": "residual", "layers": []}, COLOUR),
    (
        {
            "kind": "residual",
            "layers": [
                {"kind": "batch_norm"},
                {"kind": "residual", "layers": [{"kind": "conv2d", "channels": 3, "padding": 1}]},
            ],
        },
        COLOUR,
    ),
    ({"kind": "layer_norm", "eps": 0.1}, COLOUR),
    ({"kind": "layer_norm"}, VARYING),
    ({"kind": "embedding", "features": 3}, TOKENS),
    ({"kind": "embedding", "features": 3}, RowInfo((6,), tokens=9)),
    ({"kind": "position"}, VARYING),
    ({"kind": "position", "method": "sinusoidal"}, RowInfo((6, 5))),
    ({"kind": "linear", "features": 3, "per_step": True}, VARYING),
    ({"kind": "lstm", "hidden": 3}, VARYING),
    ({"kind": "lstm", "hidden": 3, "num_layers": 2, "bidirectional": True}, STEPS),
    ({"kind": "lstm", "hidden": 3, "num_layers": 2, "bidirectional": True}, VARYING),
    ({"kind": "attention", "num_heads": 2}, VARYING),
    ({"kind": "attention", "num_heads": 1, "bias": False}, STEPS),
    ({"kind": "transformer_block", "num_heads": 2, "feedforward": 5}, VARYING),
    ({"kind": "transformer_block", "num_heads": 2, "norm_first": False, "activation": "relu"}, VARYING),
    *(({"kind": "global_pool", "method": method}, rows) for method in ("mean", "max") for rows in (VARYING, COLOUR)),
    *(({"kind": "global_pool", "method": method}, rows) for method in ("first", "last") for rows in (VARYING, STEPS)),
    ({"kind": "image_rows"}, COLOUR),
    ({"kind": "conv1d", "channels": 3, "kernel_size": 3, "padding": 2, "stride": 2}, VARYING),
    ({"kind": "conv1d", "channels": 3, "kernel_size": 4, "padding": "same", "bias": False}, VARYING),
    ({"kind": "conv1d", "channels": 3, "kernel_size": 3}, VARYING),
    ({"kind": "conv1d", "channels": 3, "kernel_size": 2, "padding": "valid"}, STEPS),
    *(({"kind": "pool", "method": method, "size": 3, "stride": 2}, VARYING) for method in ("max", "mean")),
    *(({"kind": "pool", "method": method, "size": 2}, STEPS) for method in ("max", "mean")),
    ({"kind": "global_pool", "method": "ends"}, VARYING),
    ({"kind": "global_pool", "method": "ends"}, STEPS),
    ({"kind": "batch_norm", "momentum": 0.3}, VARYING),
    ({"kind": "batch_norm", "momentum": None}, VARYING),
    ({"kind": "batch_norm"}, STEPS),
    ({"kind": "group_norm", "num_groups": 2}, VARYING),
    ({"kind": "group_norm", "num_groups": 4, "eps": 0.1}, STEPS),
    ({"kind": "group_norm", "num_groups": 3}, COLOUR),
    ({"kind": "group_norm", "num_groups": 2}, RowInfo((6,))),
    ({"kind": "gru", "hidden": 3, "num_layers": 2, "bidirectional": True}, VARYING),
    ({"kind": "elman", "hidden": 3, "nonlinearity": "relu"}, VARYING),
    ({"kind": "elman", "hidden": 3, "bidirectional": True}, STEPS),
    (
        {
            "kind": "transposed_conv2d",
            "channels": 2,
            "kernel_size": [3, 2],
            "stride": [2, 3],
            "padding": [1, 0],
            "output_padding": [1, 2],
        },
        COLOUR,
    ),
    ({"kind": "transposed_conv2d", "channels": 2, "bias": False}, COLOUR),
    ({"kind": "upsample", "scale_factor": [2, 3]}, COLOUR),
    ({"kind": "upsample", "size": [9, 11], "mode": "bilinear"}, COLOUR),
    ({"kind": "reshape", "shape": [2, -1]}, COLOUR),
    ({"kind": "reshape", "shape": [9, 14]}, COLOUR),
    ({"kind": "torchvision", "name": "resnet18", "features": 4}, RowInfo((1, 8, 8))),
    ({"kind": "torchvision", "name": "resnet18", "features": 4, "small_images": False}, RowInfo((3, 8, 8))),
]
"""Further forms of layers, with the rows that they see."""

read = TypeAdapter(AnyLayer).validate_python


def of_examples():
    """Every layer of every layer's example, once."""
    found = {}
    for layer in WITH_EXAMPLE.values():
        layers = complete([read(one) for one in layer.example["layers"]], DIGITS, 10)
        found |= {f"{each} {seen.shape}": (each, seen) for _, each, seen in walk_all(layers, DIGITS)}
    return list(found.values())


def completed(form, seen):
    (layer,) = complete([read(form)], seen, None)
    return layer


CASES = {
    f"{layer.kind} {position}": (layer, seen)
    for position, (layer, seen) in enumerate([*of_examples(), *((completed(form, seen), seen) for form, seen in FORMS)])
}


@dataclass
class Applied:
    """One layer computed for K members.

    Attributes:
        outputs: (K, B, ...).
        buffers: As they are to be after the step, by name.
    """

    outputs: torch.Tensor
    buffers: dict[str, torch.Tensor]


NUM_MEMBERS, NUM_ROWS = 3, 4


def state_of(layer, seen):
    """Each member's tensors, those of the layers inside too, (K, ...)."""
    state = layer.module(seen).double().state_dict()
    return {name: torch.stack([_drawn(name, tensor) for _ in range(NUM_MEMBERS)]) for name, tensor in state.items()}


def _drawn(name, tensor):
    if tensor.dtype == torch.int64:
        return torch.randint(1, 9, tensor.shape)
    return torch.rand_like(tensor) + 0.5 if name.endswith("running_var") else torch.randn_like(tensor) / 4


def rows_of(seen, num_members=NUM_MEMBERS):
    if seen.tokens is not None:
        return torch.randint(0, seen.tokens, (num_members, NUM_ROWS, *seen.shape))
    return torch.randn(num_members, NUM_ROWS, *seen.shape, dtype=torch.float64)


def lengths_of(seen, num_members=NUM_MEMBERS):
    """How much of each row is in use, (K, B); None if rows do not vary."""
    return torch.randint(1, seen.shape[0] + 1, (num_members, NUM_ROWS)) if seen.varies else None


def through(module, x, lengths, member):
    """What a plain module gives."""
    takes = lengths is not None and getattr(module, "takes_lengths", False)
    return module(x, lengths[member % len(lengths)]) if takes else module(x)


def apply(layer, seen, state, x, *, training, lengths=None):
    """The layer's own form."""
    (node,) = bind([[layer]] * NUM_MEMBERS, seen)
    prefix = f"{node.label}." if node.label else ""
    tensors = {prefix + name: tensor for name, tensor in state.items()}
    way = ForwardPass(tensors, At(0, 1, 10, tuple(range(NUM_MEMBERS)), training), lengths)
    outputs = layer.forward(x, node.own(tensors), Here(node, way))
    return Applied(outputs, {name.removeprefix(prefix): tensor for name, tensor in way.buffers.items()})


def module_of(layer, seen, state, member):
    """One member's plain module, with its tensors."""
    module = layer.module(seen).double()
    module.load_state_dict({name: tensor[member] for name, tensor in state.items()})
    return module


def is_deterministic(layer):
    return not layer.only_in_training and all(map(is_deterministic, layer.children()))


COMPUTED = [name for name, (layer, _) in CASES.items() if not layer.is_whole]
"""All but whole models, which take seconds, and have the general form."""
DETERMINISTIC = [name for name in COMPUTED if is_deterministic(CASES[name][0])]
MODES = [(name, False) for name in COMPUTED] + [(name, True) for name in DETERMINISTIC]
"""Each layer in evaluation, and in training too unless it draws, of which its own test speaks."""


@pytest.mark.parametrize("name", CASES)
def test_its_tensors_are_known_without_its_module(name):
    layer, seen = CASES[name]

    (label, *_), *inside = walk_all([layer], seen)
    prefix = f"{label}." if label else ""
    known = {info.name: info for info in layer.tensors(seen)}
    for path, each, row in inside:
        known |= {f"{path}.{info.name}".removeprefix(prefix): info for info in each.tensors(row)}

    module = layer.module(seen)
    state = module.state_dict()
    assert {name: info.shape for name, info in known.items()} == {name: tuple(t.shape) for name, t in state.items()}
    learned = dict(module.named_parameters())
    for tensor_name, info in known.items():
        assert info.is_learned == (tensor_name in learned)
        assert len(info.axes) == len(info.shape)
        assert (info.dtype == "int64") == (state[tensor_name].dtype == torch.int64)


@pytest.mark.parametrize("name", CASES)
def test_its_outputs_are_known_without_its_module(name):
    layer, seen = CASES[name]

    outputs = layer.module(seen).double().eval()(rows_of(seen)[0])

    assert layer.output(seen).shape == tuple(outputs.shape[1:])
    assert layer.num_values(seen) >= 1


@pytest.mark.parametrize("layout", ["by member", "by row", "shared"])
@pytest.mark.parametrize(("name", "training"), MODES)
def test_every_member_computes_what_its_plain_module_computes(name, layout, training):
    layer, seen = CASES[name]
    state = state_of(layer, seen)
    x = rows_of(seen, 1 if layout == "shared" else NUM_MEMBERS)
    if layout == "by row":
        x = x.transpose(0, 1).contiguous().transpose(0, 1)
    before = {name: tensor.clone() for name, tensor in state.items()}

    lengths = lengths_of(seen, len(x))

    applied = apply(layer, seen, state, x, training=training, lengths=lengths)

    outputs = applied.outputs.expand(NUM_MEMBERS, *applied.outputs.shape[1:])
    for k in range(NUM_MEMBERS):
        module = module_of(layer, seen, state, k).train(training)
        torch.testing.assert_close(outputs[k], through(module, x[0 if layout == "shared" else k], lengths, k))
        buffers = {name: tensor[k] for name, tensor in {**state, **applied.buffers}.items()}
        torch.testing.assert_close(buffers, dict(module.state_dict()))
    assert bool(applied.buffers) == (training and bool(dict(module.named_buffers())))
    torch.testing.assert_close(state, before, rtol=0, atol=0)  # a pass changes nothing


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_its_gradients_are_those_of_its_plain_module(name):
    layer, seen = CASES[name]
    state = state_of(layer, seen)
    learned = [name for name, _ in layer.module(seen).named_parameters()]
    leaves = {name: tensor.requires_grad_() if name in learned else tensor for name, tensor in state.items()}
    x = rows_of(seen).requires_grad_(seen.tokens is None)
    wanted = [x] * x.requires_grad + [leaves[name] for name in learned]

    lengths = lengths_of(seen)
    outputs = apply(layer, seen, leaves, x, training=True, lengths=lengths).outputs
    by_output = torch.randn_like(outputs)
    found = torch.autograd.grad(outputs, wanted, by_output)

    for k in range(NUM_MEMBERS):
        module = module_of(layer, seen, state, k)
        row = x.detach()[k].requires_grad_(x.requires_grad)
        own = [row] * x.requires_grad + list(module.parameters())
        expected = torch.autograd.grad(through(module, row, lengths, k), own, by_output[k])
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours[k], theirs)


@pytest.mark.parametrize("kind", WITH_EXAMPLE)
def test_its_example_trains(kind, make_job):
    result = train(make_job(model=WITH_EXAMPLE[kind].example, training={"epochs": 1}))

    assert kind in result.plan.layer_kinds().values()
    assert result.metrics["train/loss"] > 0


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_it_says_what_it_does_and_where_it_is_from(layer):
    assert layer.summary.endswith(".")
    assert layer.formula
    assert layer.source


@pytest.mark.parametrize("name", CASES)
def test_it_is_json_and_back(name):
    layer, _ = CASES[name]

    assert read(layer.model_dump(mode="json")) == layer


@pytest.mark.parametrize("name", ["1st", "a.b", "a b", "", "x" * 65, "é"])
def test_a_name_is_an_identifier(name):
    with pytest.raises(ValidationError, match="name"):
        Linear(name=name)


WITH_OWN_FORM = [name for name in DETERMINISTIC if CASES[name][0].tensors(CASES[name][1])]


@pytest.mark.parametrize("name", WITH_OWN_FORM)
def test_the_general_form_computes_the_same_from_the_module_alone(name):
    """The general form, which needs nothing but the module, on layers that mostly have one of their own."""
    layer, seen = CASES[name]
    state, x, lengths = state_of(layer, seen), rows_of(seen), lengths_of(seen)
    (node,) = bind([[layer]] * NUM_MEMBERS, seen)
    way = ForwardPass({}, At(0, 1, 10, tuple(range(NUM_MEMBERS))), lengths)

    general = Layer.forward(layer, x, state, Here(node, way))

    own = apply(layer, seen, state, x, training=True, lengths=lengths)
    torch.testing.assert_close(general, own.outputs)
    assert len(way.buffers) == len(own.buffers)


@pytest.mark.parametrize(
    "layers",
    [
        [{"kind": "conv2d", "channels": 4, "stride": 2}, {"kind": "residual", "layers": [{"kind": "batch_norm"}]}],
        [{"kind": "image_rows"}, {"kind": "linear", "features": 8, "per_step": True}],
        [{"kind": "image_rows"}, {"kind": "attention", "num_heads": 2}],
        [{"kind": "linear", "features": 16}, {"kind": "activation"}],
    ],
    ids=["images", "steps", "attention", "vectors"],
)
def test_multiplications_are_those_that_torch_counts(layers):
    """Of matrix products and convolutions; a multiplication with its addition is two operations to torch."""
    completed = complete(TypeAdapter(list[AnyLayer]).validate_python([*layers, {"kind": "linear"}]), DIGITS, 3)
    module = build_module(completed, DIGITS).train()

    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counted:  # a fused kernel is not counted
        module(torch.zeros(5, *DIGITS.shape))

    products = sum(layer.num_products(seen) for _, layer, seen in walk_all(completed, DIGITS))
    assert products == counted.get_total_flops() / 2 / 5


def test_an_lstm_multiplies_each_weight_at_each_step():
    assert LAYERS["lstm"](hidden=3).num_products(RowInfo((6, 4))) == 6 * 4 * 3 * (4 + 3)
