"""Torch's Sequentials as layers: the same outputs from the same weights."""

import pytest
import torch
from torch import nn

from regcore import JobSpec, train
from regcore.errors import SpecError
from regcore.layers import build_module, complete, output_of
from regcore.shapes import RowInfo

NETS = {
    "mlp": (
        (6,),
        lambda: nn.Sequential(
            nn.Linear(6, 5), nn.BatchNorm1d(5, momentum=None), nn.LeakyReLU(), nn.Dropout(0.1),
            nn.LayerNorm(5, eps=0.1), nn.GELU(), nn.Identity(), nn.GroupNorm(1, 5), nn.Linear(5, 3, bias=False),
        ),
    ),
    "cnn": (
        (3, 12, 10),
        lambda: nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 8, 3, padding="same", bias=False), nn.BatchNorm2d(8, eps=0.1), nn.ReLU()),
            nn.MaxPool2d(2), nn.Conv2d(8, 8, (3, 2), stride=(2, 1), padding=(1, 0)), nn.GroupNorm(4, 8), nn.SiLU(),
            nn.AvgPool2d((3, 2), stride=1), nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 6, 1), nn.ELU(), nn.Flatten(),
            nn.Linear(6, 4),
        ),
    ),
    "classic": (
        (1, 8, 8),
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.LayerNorm((4, 8, 8)), nn.Tanh(), nn.AdaptiveMaxPool2d((4, 2)),
            nn.Flatten(), nn.Linear(32, 3),
        ),
    ),
    "decoder": (
        (5,),
        lambda: nn.Sequential(
            nn.Linear(5, 18), nn.Unflatten(1, (2, 3, 3)), nn.ConvTranspose2d(2, 4, 3, 2, 1, 1), nn.SELU(),
            nn.Upsample(scale_factor=2), nn.ConvTranspose2d(4, 1, (2, 1), bias=False),
            nn.Upsample(size=(20, 17), mode="bilinear"), nn.Sigmoid(),
        ),
    ),
    "sequence": (
        (2, 20),
        lambda: nn.Sequential(
            nn.Conv1d(2, 6, 5, stride=2, padding=2), nn.BatchNorm1d(6), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(6, 4, 3),
            nn.GroupNorm(2, 4), nn.AvgPool1d(3, 1), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2),
        ),
    ),
    "tokens": (
        (7,),
        lambda: nn.Sequential(
            nn.Embedding(9, 4, padding_idx=0), nn.Linear(4, 3), nn.LayerNorm(3), nn.Flatten(), nn.Linear(21, 2)
        ),
    ),
    "one layer": ((4,), lambda: nn.Linear(4, 2)),
}  # fmt: skip


@pytest.mark.parametrize("training", [False, True], ids=["predicting", "training"])
@pytest.mark.parametrize("name", NETS)
def test_what_is_written_computes_the_same_from_the_same_weights(name, training):
    shape, make = NETS[name]
    torch.manual_seed(1)
    net = make().double()
    for tensor in net.parameters():
        nn.init.normal_(tensor, std=0.5)
    if name == "tokens":
        nn.init.zeros_(net[0].weight[0].detach())
    row = RowInfo(shape, tokens=9 if name == "tokens" else None)

    layers = complete(JobSpec.from_module(net, shape).model.expand(row), row, None)

    ours = build_module(layers, row).double()
    state = ours.state_dict()
    theirs = list(net.state_dict().values())
    assert len(theirs) == len(state)
    ours.load_state_dict({n: each.view(state[n].shape) for n, each in zip(state, theirs, strict=True)})
    x = torch.randint(0, 9, (4, *shape)) if row.tokens else torch.randn(4, *shape, dtype=torch.float64)
    for module in (net, ours):
        module.train(training)
        for each in module.modules():
            if isinstance(each, nn.Dropout):
                each.eval()
    expected = net(x)
    torch.testing.assert_close(ours(x).reshape(expected.shape), expected, rtol=1e-6, atol=1e-9)
    assert output_of(layers, row).num_values == expected[0].numel()


def test_the_spec_trains_with_the_fields_that_are_given():
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))
    data = {"kind": "builtin", "name": "digits"}

    spec = JobSpec.from_module(net, (1, 8, 8), data=data, training={"epochs": 1})

    assert [layer.kind for layer in spec.model.layers] == ["flatten", "linear", "activation", "linear"]
    assert train(spec).plan.num_parameters == sum(each.numel() for each in net.parameters())


class Own(nn.Module):
    pass


@pytest.mark.parametrize(
    ("net", "shape", "message"),
    [
        (
            nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.LSTM(3, 2), Own()), nn.Softmax(1)),
            (3,),
            "from_module cannot write 1.0 (LSTM), 1.1 (Own), 2 (Softmax); it writes Sequential of AdaptiveAvgPool1d, ",
        ),
        (Own(), (3,), "from_module cannot write the module (Own); it writes Sequential of"),
        (
            nn.Sequential(nn.Conv2d(4, 4, 3, groups=2)),
            (4, 5, 5),
            "from_module cannot write 0 (Conv2d): groups=2 is not",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 4, 3, dilation=2)),
            (1, 9, 9),
            "from_module cannot write 0 (Conv2d): dilation=(2, 2",
        ),
        (
            nn.Sequential(nn.MaxPool2d(2, padding=1)),
            (1, 9, 9),
            "from_module cannot write 0 (MaxPool2d): padding=1 is no",
        ),
        (
            nn.Sequential(nn.LeakyReLU(0.2)),
            (3,),
            "from_module cannot write 0 (LeakyReLU): negative_slope=0.2 is not kno",
        ),
        (
            nn.Sequential(nn.BatchNorm1d(3, affine=False)),
            (3,),
            "from_module cannot write 0 (BatchNorm1d): affine=False",
        ),
        (
            nn.Sequential(nn.LayerNorm(3, bias=False)),
            (3,),
            "from_module cannot write 0 (LayerNorm): it has no scale or",
        ),
        (
            nn.Sequential(nn.LayerNorm(5)),
            (2, 5, 5),
            "from_module cannot write 0 (LayerNorm): it normalizes over (5,) of",
        ),
        (
            nn.Sequential(nn.Linear(5, 2)),
            (2, 5, 5),
            "from_module cannot write 0 (Linear): it acts on the last axis of (",
        ),
        (
            nn.Sequential(nn.Embedding(5, 2)),
            (3,),
            "from_module cannot write 0 (Embedding): token 0 is padding here, so",
        ),
        (
            nn.Sequential(nn.AdaptiveAvgPool2d(4)),
            (1, 6, 6),
            "from_module cannot write 0 (AdaptiveAvgPool2d): its window",
        ),
        (
            nn.Sequential(nn.Flatten(2)),
            (1, 6, 6),
            "from_module cannot write 0 (Flatten): start_dim=2 merges other axes",
        ),
        (nn.Sequential(nn.Linear(4, 2)), (3,), "0 (Linear) does not take rows of (3,): "),
        (
            nn.Sequential(nn.Conv2d(3, 2, 3)),
            (3,),
            "from_module cannot write 0 (Conv2d): it expects rows of 3 axes; it g",
        ),
    ],
)
def test_what_cannot_be_written_is_named_with_its_place_and_type(net, shape, message):
    with pytest.raises(SpecError) as refused:
        JobSpec.from_module(net, shape)

    (error,) = refused.value.errors
    assert error.pointer == "/model"
    assert error.message.startswith(message)
