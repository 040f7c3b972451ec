import pytest
import torch
from torch import nn

from regcore import make_plan, train
from regcore.errors import SpecError
from regcore.layers import TransformerBlock, complete
from regcore.shapes import RowInfo

STEPS = RowInfo((6, 8), varies=True)
THEIR_PARTS = {
    True: {
        "residual1.layer_norm1": "norm1",
        "residual1.attention1": "self_attn",
        "residual2.layer_norm1": "norm2",
        "residual2.linear1": "linear1",
        "residual2.linear2": "linear2",
    },
    False: {
        "residual1.attention1": "self_attn",
        "layer_norm1": "norm1",
        "residual2.linear1": "linear1",
        "residual2.linear2": "linear2",
        "layer_norm2": "norm2",
    },
}
"""By norm_first: what torch calls each part."""


def completed(**fields):
    (block,) = complete([TransformerBlock(num_heads=2, **fields)], STEPS, None)
    return block


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_it_is_torchs_encoder_layer(norm_first, activation):
    module = completed(feedforward=5, norm_first=norm_first, activation=activation).module(STEPS).double().eval()
    twin = nn.TransformerEncoderLayer(
        8, 2, 5, activation=activation, norm_first=norm_first, batch_first=True, dtype=torch.float64
    ).eval()
    parts = THEIR_PARTS[norm_first]
    twin.load_state_dict({_renamed(name, parts): value for name, value in module.state_dict().items()})
    x, lengths = torch.randn(3, *STEPS.shape, dtype=torch.float64), torch.tensor([6, 2, 4])

    outputs = module(x, lengths)

    is_used = torch.arange(6) < lengths.unsqueeze(1)
    torch.testing.assert_close(outputs[is_used], twin(x, src_key_padding_mask=~is_used)[is_used])


def _renamed(name, parts):
    ours = next(part for part in parts if name.startswith(f"{part}."))
    return parts[ours] + name.removeprefix(ours)


def test_its_small_network_has_four_times_the_features_unless_said_otherwise():
    shapes = {name: tuple(tensor.shape) for name, tensor in completed().module(STEPS).state_dict().items()}

    assert shapes["residual2.linear1.weight"] == (32, 8)
    assert shapes["residual2.linear2.weight"] == (8, 32)


MODEL = {
    "kind": "layers",
    "layers": [{"kind": "transformer_block", "num_heads": 2}, {"kind": "global_pool"}, {"kind": "linear"}],
}


def test_dropout_acts_in_each_of_its_parts_while_training():
    module = completed(dropout=0.5).module(STEPS)
    x = torch.randn(1, *STEPS.shape)

    dropped = [name for name, part in module.named_modules() if isinstance(part, nn.Dropout) and part.p == 0.5]

    assert dropped == ["residual1.dropout1", "residual2.dropout1"]
    assert not torch.equal(module(x), module(x))
    assert torch.equal(module.eval()(x), module(x))


def test_surgery_reaches_the_layers_inside(make_job):
    place = "transformer_block1.residual2.activation1"

    plan = make_plan(make_job(model=MODEL, regularizers=[{"kind": "dropout", "p": 0.1, "where": [place]}]))

    assert plan.layer_kinds()["transformer_block1.residual2.dropout1"] == "dropout"
    assert plan.layers[1].layers[1].layers[3].p == 0.1
    labels = list(plan.layer_kinds())
    assert labels[labels.index(place) + 1] == "transformer_block1.residual2.dropout1"


def test_the_plan_shows_what_it_is_made_of_and_the_spec_stays_as_it_was_written(make_job):
    result = train(make_job(model=MODEL, training={"epochs": 1}))

    block = result.plan.layers[1]
    assert [layer.kind for layer in block.layers] == ["residual", "residual"]
    assert result.plan.resolved_spec.model.layers[0].layers is None
    assert TransformerBlock.model_validate(block.model_dump(mode="json")) == block


def test_layers_inside_that_change_the_shape_are_refused(make_job):
    inside = [{"kind": "linear", "features": 5, "per_step": True}]
    model = {"kind": "layers", "layers": [MODEL["layers"][0] | {"layers": inside}, *MODEL["layers"][1:]]}

    with pytest.raises(SpecError, match=r"must keep the shape of their rows, \(8, 8\); they give \(8, 5\)"):
        make_plan(make_job(model=model))
