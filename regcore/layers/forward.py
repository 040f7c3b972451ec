"""A model's layers bound to K members, and one pass of theirs over a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from regcore.at import At
from regcore.layers.base import Layer
from regcore.layers.chain import walk
from regcore.shapes import RowInfo, TensorInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

IMAGE_AXES: Final = 3
MANY_VALUES: Final = 2**17
"""Values that a layer gives for one member's rows from which all members' do not stay in a processor's cache."""


@dataclass(eq=False)
class Node:
    """A layer in its place, for K members. It is made once for a run.

    Attributes:
        label: Its path in the model.
        layer: The first member's.
        members: Every member's: they differ in numbers alone.
        seen: The rows that it sees.
        gives: The rows that it gives.
        names: The full name of each of its tensors, by the name inside the layer.
        buffers: Those of its tensors that are not learned, by their names inside the layer.
        children: The layers inside it.
        fed_by: For a non-linearity, the label of the layer with tensors before it.
        num_apart: How many layers from here on each member goes through before the next one begins, where it has many
            values; 0 if all members go through each layer at once.
        still: Paths of the modules inside its module, "" for itself, whose learned tensors are all frozen and which
            have buffers, as a frozen batch normalization: they compute as when the model predicts.
    """

    label: str
    layer: Layer
    members: Sequence[Layer]
    seen: RowInfo
    gives: RowInfo
    names: dict[str, str]
    buffers: frozenset[str]
    children: list[Node]
    fed_by: str | None
    num_apart: int = 0
    still: tuple[str, ...] = ()
    _own: tuple[object, dict[str, Tensor]] = field(default=(None, {}), repr=False)

    @cached_property
    def module(self) -> nn.Module:
        """The plain module, without tensors: they are handed in."""
        import torch

        with torch.device("meta"):
            return self.layer.module(self.seen)

    @cached_property
    def alone(self) -> Sequence[Node]:
        """The same for each member by itself."""
        return [
            replace(
                self,
                layer=member,
                members=[member],
                children=[child.alone[k] for child in self.children],
                num_apart=0,
                _own=(None, {}),
            )
            for k, member in enumerate(self.members)
        ]

    def all_names(self) -> Iterator[str]:
        """The full names of its tensors, and of those of the layers inside it."""
        yield from self.names.values()
        for child in self.children:
            yield from child.all_names()

    def own(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Its tensors among all. Those of the last call are found again, because most passes have the same mapping."""
        known, own = self._own
        if known is not tensors:
            own = {short: tensors[full] for short, full in self.names.items()}
            self._own = tensors, own
        return own


def bind(
    members: Sequence[Sequence[Layer]], seen: RowInfo, prefix: str = "", frozen: frozenset[str] = frozenset()
) -> list[Node]:
    """The layers of K members, which agree in kinds and shapes.

    Args:
        members: Each one's layers.
        seen: The rows of the first.
        prefix: What the layers' labels begin with.
        frozen: Full names of the tensors that are not trained.
    """
    nodes: list[Node] = []
    last: str | None = None
    for (label, layer, each), own in zip(walk(members[0], seen, prefix), zip(*members, strict=True), strict=True):
        path = f"{label}." if label else ""
        infos = layer.tensors(each)
        children = bind([member.children() for member in own], each, path, frozen) if layer.children() else []
        last = label if infos or children else last
        nodes.append(
            Node(
                label=label,
                layer=layer,
                members=own,
                seen=each,
                gives=layer.output(each),
                names={info.name: path + info.name for info in infos},
                buffers=frozenset(info.name for info in infos if not info.is_learned),
                children=children,
                fed_by=last if layer.is_nonlinearity else None,
                still=_still(infos, path, frozen),
            )
        )
    if len(members) > 1:
        _find_apart(nodes)
    return nodes


def _find_apart(nodes: Sequence[Node]) -> None:
    """Note where a run of layers on images begins, if one of them has weights."""
    for is_image, run in groupby(nodes, key=lambda node: len(node.seen.shape) == IMAGE_AXES):
        together = list(run)
        if is_image and any(info.role == "weight" for node in together for info in _infos(node)):
            together[0].num_apart = len(together)


def _infos(node: Node) -> Iterator[TensorInfo]:
    yield from node.layer.tensors(node.seen)
    for child in node.children:
        yield from _infos(child)


def _still(infos: Sequence[TensorInfo], path: str, frozen: frozenset[str]) -> tuple[str, ...]:
    owners: dict[str, list[TensorInfo]] = {}
    for info in infos if frozen else ():
        owners.setdefault(info.name.rpartition(".")[0], []).append(info)
    return tuple(
        owner
        for owner, own in owners.items()
        if not all(info.is_learned for info in own) and any(info.is_learned for info in own)
        if all(path + info.name in frozen for info in own if info.is_learned)
    )


def warm(nodes: Sequence[Node], tensors: Mapping[str, Tensor]) -> None:
    """Let each layer find its tensors and its module before a pass is compiled, which would otherwise happen in it."""
    for node in nodes:
        node.own(tensors)
        assert node.module is not None, "it is built where it is first asked for"
        warm(node.children, tensors)
        if len(node.members) > 1:
            for alone in node.alone:
                warm([alone], tensors)


class ForwardPass:
    """One way through the layers.

    Args:
        tensors: All that the network computes with, by full name, each (K, *shape).
        at: The place in the run.
        lengths: (K, B) or (1, B); None where all rows are as long as they can be.
        watched: The labels of the layers whose outputs are wanted; "*" for those of every non-linearity.

    Attributes:
        buffers: By full name, as they are to be after the step.
        outputs: Of the watched layers, by label.
        output_lengths: The lengths of those whose rows vary.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        at: At,
        lengths: Tensor | None = None,
        watched: frozenset[str] = frozenset(),
    ) -> None:
        self.tensors = tensors
        self.at = at
        self.lengths = lengths
        self.watched = watched
        self.buffers: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}
        self.output_lengths: dict[str, Tensor] = {}

    def run(self, nodes: Sequence[Node], x: Tensor) -> Tensor:
        """The outputs of the last of these layers."""
        position = 0
        while position < len(nodes):
            num_apart = nodes[position].num_apart if x.device.type == "cpu" and self.lengths is None else 0
            together = nodes[position : position + num_apart]
            if together and x.shape[1] * max(node.gives.num_values for node in together) >= MANY_VALUES:
                x = self._run_apart(together, x)
                position += num_apart
            else:
                x = self._run_layer(nodes[position], x)
                position += 1
        return x

    def _run_layer(self, node: Node, x: Tensor) -> Tensor:
        here, lengths = Here(node, self), self.lengths
        x = node.layer.forward(x, node.own(self.tensors), here)
        if lengths is not None:
            self.lengths = lengths  # what layers inside it made of them is theirs
            self.lengths = node.layer.lengths(lengths, here)
        if self.watched and node.label in self.watched:
            self.outputs[node.label] = x
            if self.lengths is not None:
                self.output_lengths[node.label] = self.lengths
        return x

    def _run_apart(self, nodes: Sequence[Node], x: Tensor) -> Tensor:
        """The same, one member after the other: what one layer gives is in the cache when the next takes it."""
        import torch

        num_members = len(nodes[0].members)
        own = {name: torch.split(self.tensors[name], 1) for node in nodes for name in node.all_names()}
        rows = torch.split(x, 1) if len(x) > 1 else [x] * num_members
        ways, outputs = [], []
        for k in range(num_members):
            at = replace(self.at, seeds=self.at.seeds[k : k + 1])
            way = ForwardPass({name: parts[k] for name, parts in own.items()}, at, None, self.watched)
            outputs.append(way.run([node.alone[k] for node in nodes], rows[k]))
            ways.append(way)
        for name in ways[0].buffers:
            self.buffers[name] = torch.cat([way.buffers[name] for way in ways])
        for label in ways[0].outputs:
            self.outputs[label] = torch.cat([way.outputs[label] for way in ways])
        return torch.cat(outputs)


class Here:
    """A layer in a pass: its place, and what it may ask for and leave behind."""

    __slots__ = ("at", "node", "way")

    def __init__(self, node: Node, way: ForwardPass) -> None:
        self.node = node
        self.way = way
        self.at = way.at

    @property
    def label(self) -> str:
        """Its path in the model."""
        return self.node.label

    @property
    def layer(self) -> Layer:
        """The first member's layer."""
        return self.node.layer

    @property
    def members(self) -> Sequence[Any]:
        """Every member's layer."""
        return self.node.members

    @property
    def seen(self) -> RowInfo:
        """The rows that it sees."""
        return self.node.seen

    @property
    def gives(self) -> RowInfo:
        """The rows that it gives."""
        return self.node.gives

    @property
    def children(self) -> Sequence[Node]:
        """The layers inside it."""
        return self.node.children

    @property
    def module(self) -> nn.Module:
        """Its plain module without tensors, in the pass's mode."""
        module = self.node.module.train(self.at.training)
        for path in self.node.still:
            module.get_submodule(path).eval()
        return module

    @property
    def is_training(self) -> bool:
        """Whether it computes as in training: a frozen layer with buffers never does."""
        return self.at.training and "" not in self.node.still

    def inner(self, x: Tensor) -> Tensor:
        """The outputs of the layers inside it."""
        return self.way.run(self.node.children, x)

    def is_buffer(self, name: str) -> bool:
        """Whether this tensor of its is not learned."""
        return name in self.node.buffers

    def update_buffer(self, name: str, value: Tensor) -> None:
        """Say what a buffer is to be after this step."""
        self.way.buffers[self.node.names[name]] = value.detach()

    @property
    def lengths(self) -> Tensor | None:
        """How much of each row is in use, (K, B) or (1, B); None where rows do not vary."""
        return self.way.lengths if self.node.seen.varies else None

    def taken_lengths(self, num_members: int) -> Tensor | None:
        """The lengths, (num_members, B), if there are any and its module takes them."""
        lengths = self.lengths
        if lengths is None or not getattr(self.module, "takes_lengths", False):
            return None
        return lengths.expand(num_members, -1)

    def in_use(self, num_steps: int) -> Tensor | None:
        """Which steps of each row are in use, (K, B, num_steps) or (1, B, num_steps); None where all are."""
        from regcore.modules import in_use

        lengths = self.lengths
        return None if lengths is None else in_use(lengths, num_steps)
