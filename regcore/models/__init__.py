"""Models: one file each. A model is a list of layers, or a short way to write one.

To add one, add its file; the spec's union, the JSON schema and the catalogue find it. Does not live here: the layers
(`regcore.layers`).
"""

from regcore.kinds import import_modules
from regcore.models.autoencoder import AutoencoderModel
from regcore.models.base import MAX_LAYERS, Model
from regcore.models.cnn import CNNModel
from regcore.models.layers import LayersModel
from regcore.models.linear import LinearModel
from regcore.models.mlp import MLPModel
from regcore.models.rnn import RNNModel
from regcore.models.torchvision import TorchvisionModel
from regcore.models.transformer import TransformerModel

import_modules(__name__)

__all__ = [
    "MAX_LAYERS",
    "AutoencoderModel",
    "CNNModel",
    "LayersModel",
    "LinearModel",
    "MLPModel",
    "Model",
    "RNNModel",
    "TorchvisionModel",
    "TransformerModel",
]
