import pytest
from pydantic import ValidationError

from regcore.models import TorchvisionModel
from regcore.shapes import RowInfo


def test_it_is_one_layer_with_the_same_fields():
    (layer,) = TorchvisionModel(name="resnet18", small_images=False).expand(RowInfo((1, 8, 8)))

    assert (layer.kind, layer.name, layer.features, layer.small_images) == ("torchvision", "resnet18", None, False)


def test_it_is_for_small_images_and_begins_at_random_if_nothing_is_said():
    model = TorchvisionModel(name="resnet18")

    assert model.small_images
    assert model.pretrained is None


def test_default_weights_are_resolved_to_their_name():
    model = TorchvisionModel(name="resnet50", weights="DEFAULT")

    assert model.weights == "IMAGENET1K_V2"
    assert model.pretrained == "resnet50-11ad3fa6.pth"


def test_weights_that_a_model_does_not_have_are_refused_with_those_that_it_has():
    with pytest.raises(ValidationError, match="for resnet18 one of DEFAULT, IMAGENET1K_V1; received 'IMAGENET1K_V2'"):
        TorchvisionModel(name="resnet18", weights="IMAGENET1K_V2")
