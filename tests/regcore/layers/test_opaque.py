import pytest
import torch
from torch import nn

from regcore.layers.opaque import described


class Mixed(nn.Module):
    """Tensors of every role."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(2, 3, 4)
        self.class_token = nn.Parameter(torch.zeros(1, 1, 6))
        self.scale = nn.Parameter(torch.ones(6, 1, 1))
        self.table = nn.Embedding(5, 6)
        self.register_buffer("mask", torch.ones(2, dtype=torch.bool))
        self.register_buffer("unsaved", torch.ones(2), persistent=False)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8, batch_first=True), 2)
        self.up = nn.ConvTranspose2d(3, 2, 3, bias=False)
        self.norm = nn.GroupNorm(1, 6)
        self.head = nn.Linear(6, 5)
        self.fixed = nn.Linear(6, 2).requires_grad_(False)
        self.tied = nn.Linear(6, 5, bias=False)
        self.tied.weight = self.table.weight


@pytest.fixture(scope="module")
def infos():
    return {info.name: info for info in described(Mixed())}


@pytest.mark.parametrize(
    ("name", "role", "axes"),
    [
        ("stem.weight", "weight", "oik"),
        ("stem.bias", "bias", "o"),
        ("class_token", "embedding", "oik"),
        ("scale", "norm", "oik"),
        ("table.weight", "embedding", "oi"),
        ("mask", "buffer", "o"),
        ("encoder.layers.0.self_attn.in_proj_weight", "weight", "oi"),
        ("encoder.layers.0.self_attn.in_proj_bias", "bias", "o"),
        ("encoder.layers.1.norm2.bias", "norm", "o"),
        ("up.weight", "weight", "iokk"),
        ("norm.weight", "norm", "o"),
        ("fixed.weight", "buffer", "oo"),
    ],
)
def test_a_tensors_role_and_axes_follow_from_the_module_that_owns_it(infos, name, role, axes):
    assert (infos[name].role, infos[name].axes) == (role, axes)


def test_what_is_not_kept_or_known_by_another_name_is_left_out(infos):
    assert infos["mask"].dtype == "bool"
    assert not {"unsaved", "tied.weight"} & infos.keys()


def test_blocks_are_elements_of_lists_and_what_is_beside_them(infos):
    blocks = {name: info.block for name, info in infos.items()}

    assert blocks["encoder.layers.0.linear1.weight"] == "encoder.layers.0"
    assert blocks["encoder.layers.1.norm2.bias"] == "encoder.layers.1"
    assert blocks["head.bias"] == "head"
    assert blocks["class_token"] == "stem"


def test_complex_numbers_are_refused():
    net = nn.Module()
    net.phase = nn.Parameter(torch.zeros(2, dtype=torch.complex64))

    with pytest.raises(ValueError, match="phase is of type complex64, which cannot be kept"):
        described(net)
