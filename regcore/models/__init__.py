"""Models: one file each. A model is a list of layers, or a short way to write one.

To add one, add its file; the spec's union, the JSON schema and the catalogue find it. Does not live here: the layers
(`regcore.layers`).
"""

from regcore.kinds import import_modules
from regcore.models.base import MAX_LAYERS, Model
from regcore.models.layers import LayersModel
from regcore.models.linear import LinearModel
from regcore.models.mlp import MLPModel
from regcore.models.torchvision import TorchvisionModel

import_modules(__name__)

__all__ = ["MAX_LAYERS", "LayersModel", "LinearModel", "MLPModel", "Model", "TorchvisionModel"]
