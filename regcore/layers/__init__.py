"""Layers: one file each, with its spec fields, its shapes and tensors (without torch) and its computation (with torch).

    base.py       what a layer is; its default computation needs nothing but a plain torch module
    chain.py      lists of layers: labels, shapes, tensors, surgery, the module that they make
    forward.py    a list bound to K members, and one pass over a batch

To add a layer, add its file; the spec's union, the JSON schema, the catalogue and the common tests find it. Does not
live here: short forms of lists of layers (`regcore.models`), and where regularizers insert layers
(`regcore.regularizers`).
"""

from regcore.kinds import import_modules
from regcore.layers.activation import Activation
from regcore.layers.attention import Attention
from regcore.layers.base import Layer
from regcore.layers.batch_norm import BatchNorm
from regcore.layers.chain import (
    build_module,
    complete,
    finished_module,
    label_layers,
    num_layers,
    num_levels,
    output_of,
    rewritten,
    tensors_of,
    walk,
    walk_all,
)
from regcore.layers.conv1d import Conv1d
from regcore.layers.conv2d import Conv2d
from regcore.layers.dropout import Dropout
from regcore.layers.elman import Elman
from regcore.layers.embedding import Embedding
from regcore.layers.flatten import Flatten
from regcore.layers.global_pool import GlobalPool
from regcore.layers.group_norm import GroupNorm
from regcore.layers.gru import Gru
from regcore.layers.image_rows import ImageRows
from regcore.layers.layer_norm import LayerNorm
from regcore.layers.linear import Linear
from regcore.layers.lstm import Lstm
from regcore.layers.misfit import LayerMisfit
from regcore.layers.pool import Pool
from regcore.layers.position import Position
from regcore.layers.reshape import Reshape
from regcore.layers.residual import Residual
from regcore.layers.transformer_block import TransformerBlock
from regcore.layers.transposed_conv2d import TransposedConv2d
from regcore.layers.upsample import Upsample

import_modules(__name__)

__all__ = [
    "Activation",
    "Attention",
    "BatchNorm",
    "Conv1d",
    "Conv2d",
    "Dropout",
    "Elman",
    "Embedding",
    "Flatten",
    "GlobalPool",
    "GroupNorm",
    "Gru",
    "ImageRows",
    "Layer",
    "LayerMisfit",
    "LayerNorm",
    "Linear",
    "Lstm",
    "Pool",
    "Position",
    "Reshape",
    "Residual",
    "TransformerBlock",
    "TransposedConv2d",
    "Upsample",
    "build_module",
    "complete",
    "finished_module",
    "label_layers",
    "num_layers",
    "num_levels",
    "output_of",
    "rewritten",
    "tensors_of",
    "walk",
    "walk_all",
]
