"""A module of the user's own."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import PrivateAttr

from regcore.layers import Layer
from regcore.layers.opaque import described
from regcore.layers.own_module import NOT_GIVEN, OwnModule
from regcore.models.base import Model
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import nn

_NUM_PROBED_ROWS = 2


class OwnModuleModel(Model):
    """Any `torch.nn.Module`, handed to `train(spec, x, y, module=net)`."""

    summary: ClassVar[str] = "A module of the user's own, which train is given in Python; alone, and opaque."
    formula: ClassVar[str] = "f(x) as the module's forward computes it"
    source: ClassVar[str] = "torch.nn.Module"
    example: ClassVar[dict[str, Any]] = {"kind": "module"}
    member_fields: ClassVar[frozenset[str] | None] = None
    only_in_python: ClassVar[bool] = True

    kind: Literal["module"] = "module"
    _net: Any = PrivateAttr(default=None)

    @classmethod
    def of(cls, net: nn.Module) -> Self:
        """The model that is this module. Raises ValueError if it cannot be trained."""
        _check(net)
        model = cls()
        model._net = net
        return model

    def expand(self, row: RowInfo) -> Sequence[Layer]:
        if self._net is None:
            raise ValueError(NOT_GIVEN)
        return [OwnModule.of(self._net, _output_shape(self._net, row))]

    @property
    def signature(self) -> str | None:
        if self._net is None:
            return None
        infos = [(info.name, info.shape, info.role, info.dtype) for info in described(self._net)]
        return hashlib.sha256(repr(infos).encode()).hexdigest()


def _check(net: Any) -> None:
    """Refuse what is no module with values to train."""
    from torch import nn
    from torch.nn.parameter import is_lazy

    if not isinstance(net, nn.Module):
        raise ValueError(f"module must be a torch.nn.Module; received {type(net).__name__}. Hand in an instance")
    lazy = [name for name, each in [*net.named_parameters(), *net.named_buffers()] if is_lazy(each)]
    if lazy:
        raise ValueError(
            f"the module's {', '.join(lazy)} have no shape yet: they are lazy. Call it once with a batch of rows"
        )
    if not any(each.requires_grad for each in net.parameters()):
        raise ValueError("the module has no parameters that require gradients, and nothing can be trained. Add some")
    empty = [name for name, each in [*net.named_parameters(), *net.named_buffers()] if each.is_meta]
    if empty:
        raise ValueError(
            f"the module's {empty[0]} is on the meta device, and has no values. Make the module on the CPU"
        )


def _output_shape(net: nn.Module, row: RowInfo) -> tuple[int, ...]:
    """What a copy gives for a row of zeros."""
    import torch

    numbers = torch.float32 if row.tokens is None else torch.int64
    x = torch.zeros(_NUM_PROBED_ROWS, *row.shape, dtype=numbers)
    lengths = [torch.full((_NUM_PROBED_ROWS,), row.shape[0], dtype=torch.int64)] if row.varies else []
    try:
        probed = copy.deepcopy(net).to(device="cpu", dtype=torch.float32).eval()
    except Exception as error:  # of any kind: the module says how it is copied
        raise ValueError(
            f"the module cannot be copied: {type(error).__name__}: {error}. Keep in it parameters, buffers and plain "
            "values alone"
        ) from error
    arguments = (x, *lengths) if getattr(probed, "takes_lengths", False) else (x,)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            outputs = probed(*arguments)
    except Exception as error:  # the user's code
        raise ValueError(
            f"the module's forward fails on rows of the data, a batch of shape {tuple(x.shape)}: "
            f"{type(error).__name__}: {error}. Give it such rows, or reshape them in its forward"
        ) from error
    if not isinstance(outputs, torch.Tensor):
        raise ValueError(
            f"the module must return one tensor, (rows, outputs); it returns a {type(outputs).__name__}. Put it in a "
            "module that returns the tensor of the outputs alone"
        )
    if outputs.dim() < 1 or len(outputs) != _NUM_PROBED_ROWS or not outputs.is_floating_point():
        raise ValueError(
            f"the module must return (rows, outputs) in floating point; for a batch of shape {tuple(x.shape)} it "
            f"returns {tuple(outputs.shape)} of {outputs.dtype}. Keep the rows as the first axis"
        )
    return tuple(outputs.shape[1:])
