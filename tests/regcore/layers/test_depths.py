import pytest

from regcore import make_plan
from regcore.layers.depths import depths
from regcore.layers.torchvision import Torchvision, known_tensors
from regcore.shapes import RowInfo

BLOCK = {"kind": "residual", "layers": [{"kind": "linear", "features": 8}, {"kind": "activation"}]}
LAYERS = [{"kind": "linear", "features": 8}, {"kind": "batch_norm"}, {"kind": "activation"}, BLOCK, {"kind": "linear"}]


def test_a_block_is_one_layer_and_a_normalization_is_of_the_layer_before(make_job):
    tensors = make_plan(make_job(model={"kind": "layers", "layers": LAYERS})).tensors()

    found = {name.rpartition(".")[0]: depth for name, depth in depths(tensors).items()}

    assert found == {"linear1": 2, "batch_norm1": 2, "residual1.linear1": 1, "head": 0}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18", {"conv1.weight": 9, "bn1.bias": 9, "layer1.0.conv1.weight": 8, "layer4.1.bn2.weight": 1}),
        ("vit_b_16", {"class_token": 13, "encoder.pos_embedding": 13, "encoder.ln.weight": 1, "heads.head.bias": 0}),
        ("mobilenet_v3_small", {"features.12.0.weight": 2, "classifier.0.weight": 1, "classifier.3.weight": 0}),
    ],
)
def test_of_a_model_of_torchvision_a_block_is_a_layer(name, expected):
    found = depths(known_tensors(name))

    assert {tensor: found[tensor] for tensor in expected} == expected
    assert Torchvision(name=name, features=3).tensors(RowInfo((3, 32, 32)))[0].block == known_tensors(name)[0].block
