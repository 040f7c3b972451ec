"""The base of layers: shapes and tensors are known without torch; the computation needs it.

To add a layer, add its file: `output`, `tensors` and `module`. It then trains, alone or stacked, by the default
`forward`. Override that where a computation of all members at once was measured to be faster, and say so there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from regcore.doubts import Doubt, RunShape
from regcore.frozen import Fusible
from regcore.shapes import RowInfo, TensorInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

    from regcore.layers.forward import Here


class Layer(Fusible):
    """One entry of a model's list of layers."""

    summary: ClassVar[str]
    formula: ClassVar[str]
    source: ClassVar[str]
    example: ClassVar[dict[str, Any]]
    """A model in which it trains, as JSON."""
    example_data: ClassVar[dict[str, Any]] = {"kind": "builtin", "name": "digits"}
    """The data of that."""
    gives_outputs: ClassVar[bool] = False
    """Whether it can be the output layer, which is called `head`."""
    is_affine: ClassVar[bool] = False
    """Whether its outputs are an affine function of its inputs, and linear in its own tensors."""
    is_nonlinearity: ClassVar[bool] = False
    """Whether it is what hidden units are counted behind."""
    gives_hidden_units: ClassVar[bool] = False
    """Whether the regularizer `dropout` drops what it gives, if nobody says where."""
    only_in_training: ClassVar[bool] = False
    """Whether it leaves rows as they are when a finished model predicts."""
    removes_scale: ClassVar[bool] = False
    """Whether its outputs stay the same where its inputs are multiplied by a number, as behind a normalization."""
    is_whole: ClassVar[bool] = False
    """Whether it is a model of its own, opaque, which stands alone and whose tensors keep their names."""
    brings_module: ClassVar[bool] = False
    """Whether its module holds more than its tensors, such as buffers that are not kept with a model."""
    only_in_python: ClassVar[bool] = False
    """Whether it needs what JSON cannot hold, so that no server takes it."""
    takes_tokens: ClassVar[bool] = False
    """Whether its rows may be integers that stand for tokens."""
    draws_by_step: ClassVar[bool] = False
    """Whether a random layer draws for a step of a sequence the same, however many steps follow it."""
    draws: ClassVar[bool] = False
    """Whether its module draws from torch's global generator while training."""

    kind: str
    name: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")
    """Prefix of its tensors' names, `{name}.weight`; by default kind and ordinal, `head` for the output layer."""

    @property
    def given_label(self) -> str | None:
        """The label that the user gave, if any."""
        return self.name

    def completed(self, seen: RowInfo, num_outputs: int | None) -> Sequence[Layer]:
        """What stands in its place once it is known which rows it sees.

        Args:
            seen: The rows.
            num_outputs: Of the task, for the last layer of a model; else None.

        Raises:
            ValueError: The rows do not fit.
        """
        return (self,)

    def output(self, seen: RowInfo) -> RowInfo:
        """What it gives for such rows. Raises ValueError if they do not fit."""
        return seen

    def tensors(self, seen: RowInfo) -> list[TensorInfo]:
        """Its own tensors, without those of its children."""
        return []

    @property
    def is_random(self) -> bool:
        """Whether two passes over the same rows may differ while training."""
        return self.draws or any(layer.is_random for layer in self.children())

    def least_rows(self, seen: RowInfo) -> int:
        """How many rows a batch must have for it to train; its children have their own say."""
        return 1

    def num_values(self, seen: RowInfo) -> int:
        """How many numbers it computes for one row, without its children's; an estimate of memory and time."""
        return self.output(seen).num_values

    def num_products(self, seen: RowInfo) -> int:
        """How many multiplications it takes for one row, without its children's; an estimate of time.

        By default each weight is used once at each pixel, or at each step of a sequence.
        """
        num_weights = sum(tensor.num_elements for tensor in self.tensors(seen) if tensor.role == "weight")
        return num_weights * min(seen.num_places, self.output(seen).num_places) if num_weights else 0

    def children(self) -> Sequence[Layer]:
        """The layers inside it, from input to output; most have none."""
        return ()

    def with_children(self, children: Sequence[Layer]) -> Self:
        """The same with other layers inside."""
        raise NotImplementedError

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        """What is doubtful about this layer in such a run."""
        yield from ()

    def doubts_before(self, following: Layer) -> Iterator[Doubt]:
        """What is doubtful about this layer in front of another one; pointers are not used."""
        yield from ()

    def module(self, seen: RowInfo) -> nn.Module:
        """The same layer as a plain torch module: its definition, and what a finished model is made of."""
        from regcore.layers.chain import build_module

        return build_module(self.children(), seen, inside=True)

    def lengths(self, lengths: Tensor, here: Here) -> Tensor | None:
        """How much of each row is in use behind it, (K, B); None if rows no longer vary."""
        return lengths if here.gives.varies else None

    def forward(self, x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
        """Compute K members at once.

        The default needs only `module`. Without tensors the members are more rows of one batch; with tensors they go
        through the module one by one. (`torch.func.vmap` was slower for every layer, and has no rule for some.)

        Args:
            x: (K, B, *seen.shape), or (1, B, ...) if all members see the same.
            own: Its tensors by their names inside the layer, each (K, *shape).
            here: Its place, and the pass.

        Returns:
            (K, B, *output.shape), in any memory layout; K may be 1 if x's was and there are no tensors.
        """
        if here.children:
            return here.inner(x)
        if not own and not self.draws:
            return _all_at_once(x, here)
        return _one_by_one(x, own, here)


def apart(stacked: Tensor) -> Sequence[Tensor]:
    """The members one by one.

    The gradient of x[k] is a tensor of zeros for all members, that of `unbind` one copy, and that of `squeeze` none.
    """
    return (stacked.squeeze(0),) if len(stacked) == 1 else stacked.unbind()


def _all_at_once(x: Tensor, here: Here) -> Tensor:
    """The members' rows as rows of one batch, in the order that they have in memory, so that nothing is copied."""
    module, lengths = here.module, here.taken_lengths(len(x))
    is_by_row = x.stride(0) < x.stride(1)
    x = x.transpose(0, 1) if is_by_row else x
    rows = x.flatten(0, 1)
    if lengths is not None:
        lengths = (lengths.mT if is_by_row else lengths).flatten(0, 1)
    outputs: Tensor = module(rows) if lengths is None else module(rows, lengths)
    outputs = outputs.reshape(*x.shape[:2], *outputs.shape[1:])
    return outputs.transpose(0, 1) if is_by_row else outputs


def _one_by_one(x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
    import torch

    num_members, lengths = len(here.members), here.taken_lengths(len(here.members))
    # The module changes buffers in place, and a pass must not.
    own = {name: tensor.clone() if here.is_buffer(name) else tensor for name, tensor in own.items()}
    rows = apart(x if len(x) == num_members else x.expand(num_members, *x.shape[1:]))
    by_member = zip(*(apart(tensor) for tensor in own.values()), strict=True) if own else ((),) * num_members
    outputs = []
    for k, tensors in enumerate(by_member):
        arguments = (rows[k],) if lengths is None else (rows[k], lengths[k])
        with here.at.seeded(k, "module", here.label) if here.layer.draws and here.at.training else nullcontext():
            state = dict(zip(own, tensors, strict=True))
            outputs.append(torch.func.functional_call(here.module, state, arguments))
    for name in filter(here.is_buffer, own):
        here.update_buffer(name, own[name])
    return torch.stack(outputs) if len(outputs) > 1 else outputs[0].unsqueeze(0)
