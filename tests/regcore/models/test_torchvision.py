from regcore.models import TorchvisionModel
from regcore.shapes import RowInfo


def test_it_is_one_layer_with_the_same_fields():
    (layer,) = TorchvisionModel(name="resnet18", small_images=False).expand(RowInfo((1, 8, 8)))

    assert (layer.kind, layer.name, layer.features, layer.small_images) == ("torchvision", "resnet18", None, False)


def test_it_is_for_small_images_if_nothing_is_said():
    assert TorchvisionModel(name="resnet18").small_images
