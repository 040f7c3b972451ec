"""A user's own module as one opaque layer, as `train(spec, x, y, module=net)` is given it.

It has the weights that the module has. The user's module itself is never changed: each run works on copies.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr

from regcore.errors import InvalidDataError
from regcore.layers.base import Layer
from regcore.layers.opaque import described
from regcore.shapes import RowInfo, TensorInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

    from regcore.layers.forward import Here

NOT_GIVEN = (
    "a module is handed over in Python, train(spec, x, y, module=net), and a server has none. Name another kind of "
    "model, or write the network as layers: JobSpec.from_module(net, input_shape)"
)


class OwnModule(Layer):
    """Any `torch.nn.Module`, from the rows to the task's outputs."""

    summary: ClassVar[str] = "A module of the user's own, handed to train in Python."
    formula: ClassVar[str] = "f(x) as the module's forward computes it"
    source: ClassVar[str] = "torch.nn.Module"
    example: ClassVar[dict[str, Any]] = {"kind": "module"}
    member_fields: ClassVar[frozenset[str] | None] = None
    gives_outputs: ClassVar[bool] = True
    is_whole: ClassVar[bool] = True
    draws: ClassVar[bool] = True
    takes_tokens: ClassVar[bool] = True
    brings_module: ClassVar[bool] = True
    only_in_python: ClassVar[bool] = True

    kind: Literal["module"] = "module"
    output_shape: list[int] = Field(default=[])
    """What it gives for a row."""
    _net: Any = PrivateAttr(default=None)
    _infos: list[TensorInfo] = PrivateAttr(default=[])

    @classmethod
    def of(cls, net: nn.Module, output_shape: tuple[int, ...]) -> Self:
        """The layer of a module that gives rows of this shape. Raises ValueError if it has tensors of an odd type."""
        layer = cls(output_shape=list(output_shape))
        layer._net = net
        layer._infos = described(net)
        return layer

    @property
    def given_label(self) -> str:
        """Empty: its tensors keep their own names."""
        return ""

    def output(self, seen: RowInfo) -> RowInfo:
        self._given_net()
        return RowInfo(tuple(self.output_shape))

    def least_rows(self, seen: RowInfo) -> int:
        from torch import nn

        normalizes = any(isinstance(each, nn.modules.batchnorm._BatchNorm) for each in self._given_net().modules())
        return 2 if normalizes else 1

    def num_values(self, seen: RowInfo) -> int:
        # What it computes inside is not known; a layer's worth for each of its tensors.
        return max(seen.num_values, *self.output_shape) * max(1, len(self._infos))

    def tensors(self, seen: RowInfo) -> list[TensorInfo]:
        self._given_net()
        return self._infos

    def module(self, seen: RowInfo) -> nn.Module:
        return copy.deepcopy(self._given_net())

    def forward(self, x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
        """The one member that there is, on copies of its rows and buffers, which the module may change in place."""
        import torch

        state = {
            name: each.squeeze(0).clone() if here.is_buffer(name) else each.squeeze(0) for name, each in own.items()
        }
        lengths = here.taken_lengths(1)
        arguments = (x.squeeze(0).clone(),) if lengths is None else (x.squeeze(0).clone(), lengths.squeeze(0))
        with here.at.seeded(0, "module") if here.at.training else nullcontext():
            try:
                outputs: Tensor = torch.func.functional_call(here.module, state, arguments)
            except (MemoryError, torch.OutOfMemoryError):
                raise
            except Exception as error:
                if "DefaultCPUAllocator" in str(error):  # how torch says that memory ran out
                    raise
                raise InvalidDataError(
                    f"the module's forward fails on a batch of shape {tuple(arguments[0].shape)}: "
                    f"{type(error).__name__}: {error}",
                    remedy="Correct the module's forward.",
                ) from error
        for name in filter(here.is_buffer, own):
            here.update_buffer(name, state[name].unsqueeze(0))
        return outputs.unsqueeze(0)

    def _given_net(self) -> nn.Module:
        if self._net is None:
            raise ValueError(NOT_GIVEN)
        net: nn.Module = self._net
        return net
