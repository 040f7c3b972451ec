import torch

from regcore.at import At
from regcore.layers import Activation, Linear, complete
from regcore.layers.forward import ForwardPass, bind
from regcore.shapes import RowInfo

SEQUENCES = RowInfo((4, 5), varies=True)
LAYERS = complete([Linear(features=3, per_step=True), Activation(name="tanh"), Linear()], SEQUENCES, 2)
SHAPES = {"linear1.weight": (3, 5), "linear1.bias": (3,), "head.weight": (2, 12), "head.bias": (2,)}


def test_watched_layers_come_with_the_lengths_of_their_rows():
    lengths = torch.tensor([[4, 1]])
    tensors = {name: torch.zeros(1, *shape) for name, shape in SHAPES.items()}
    way = ForwardPass(tensors, At(0, 1, 1), lengths, frozenset({"activation1", "head"}))

    way.run(bind([LAYERS], SEQUENCES), torch.zeros(1, 2, 4, 5))

    assert way.outputs["activation1"].shape == (1, 2, 4, 3)
    assert way.outputs["head"].shape == (1, 2, 2)
    assert way.output_lengths.keys() == {"activation1"}
    assert torch.equal(way.output_lengths["activation1"], lengths)
