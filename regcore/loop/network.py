"""The network of K members: every tensor has a leading member axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from regcore.at import At
from regcore.layers import Layer, build_module, finished_module
from regcore.layers.forward import ForwardPass, Node, bind
from regcore.plan import Plan
from regcore.shapes import RowInfo, TensorInfo
from regcore.streams import generator, stream_seed
from regcore.trees import select

EVAL_CHUNK_ROWS = 8192


class StackedNetwork:
    """The stacked tensors of K members, and their forward pass.

    Args:
        plans: One per member; their layers agree in kinds and shapes.
        dtype: Of the weights.
        device: Where the tensors are.
        autocast: Whether matrix products run in bfloat16.
        tensors: Those to go on with; None for first ones, which follow from the seeds.

    Attributes:
        tensors: By name, each (K, *shape): the model's, and those that regularizers add. Learned ones require
            gradients. They change in place alone, so that whoever holds one sees its present value.
        infos: The model's tensors, by name.
        frozen: Names of those that could be learned and are not.
        nodes: The layers, bound to the members.
        cuts_rows: Whether padding that no row of a batch needs is left out: most of a batch of texts is padding.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
        *,
        dtype: torch.dtype,
        device: torch.device,
        autocast: bool,
        tensors: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.plans = plans
        self.seeds = tuple(plan.resolved_spec.training.seed for plan in plans)
        self.dtype = dtype
        self.device = device
        self.autocast = autocast
        self.row = plans[0].row
        self.infos: dict[str, TensorInfo] = {info.name: info for info in plans[0].tensors()}
        self.frozen = plans[0].frozen
        self.nodes: list[Node] = bind([plan.layers for plan in plans], self.row, frozen=self.frozen)
        for node in self.nodes:
            if node.layer.brings_module:
                node.module.to(device=device, dtype=dtype)
        # Finding the longest row of a batch would make a GPU wait, and its draws depend on how many there are.
        self.cuts_rows = self.row.varies and device.type == "cpu" and _may_be_cut(self.nodes)
        self.tensors: dict[str, Tensor] = {}
        self.add(self._first() if tensors is None else tensors)

    def add(self, tensors: Mapping[str, Tensor]) -> None:
        """Take these tensors, (K, ...), as its own; learned ones are to require gradients."""
        for name, tensor in tensors.items():
            is_learned = name not in self.frozen and (name not in self.infos or self.infos[name].is_learned)
            self.tensors[name] = tensor.requires_grad_() if is_learned else tensor

    @property
    def works_on_steps(self) -> bool:
        """Whether a layer with weights goes over the steps of rows that vary; looking tokens up is little work."""
        return any(map(_works_on_steps, self.nodes))

    @property
    def takes_single_rows(self) -> bool:
        """Whether no layer looks at several rows together, as batch normalization does."""
        return all(_takes_single_rows(node) for node in self.nodes)

    @property
    def num_members(self) -> int:
        """K."""
        return len(self.seeds)

    def learned(self) -> dict[str, Tensor]:
        """The tensors that the optimizer moves."""
        return {name: tensor for name, tensor in self.tensors.items() if tensor.requires_grad}

    def select(self, positions: Sequence[int]) -> StackedNetwork:
        """A network of some of the members, with copies of their tensors."""
        tensors: Any = select(self.tensors, positions)
        return self.having(tensors, [self.plans[position] for position in positions])

    def having(self, tensors: Mapping[str, Tensor], plans: Sequence[Plan] | None = None) -> StackedNetwork:
        """A network of these tensors, of the same members if no plans are given."""
        return StackedNetwork(
            self.plans if plans is None else plans,
            dtype=self.dtype,
            device=self.device,
            autocast=self.autocast,
            tensors=tensors,
        )

    def forward(
        self,
        tensors: Mapping[str, Tensor],
        x: Tensor,
        at: At,
        lengths: Tensor | None = None,
        watched: frozenset[str] = frozenset(),
    ) -> tuple[Tensor, ForwardPass]:
        """Outputs of every member, in the weights' dtype, and what the pass left behind.

        Args:
            tensors: What to compute with, by name: `self.tensors`, or what regularizers made of them.
            x: (K, B, *shape), or (1, B, *shape) if all members see the same rows.
            at: The place in the run.
            lengths: (K, B) or (1, B); None if rows do not vary.
            watched: Labels of the layers whose outputs are wanted.

        Returns:
            (K, B, ...), and the pass.
        """
        if self.cuts_rows and lengths is not None and not torch.compiler.is_compiling():
            x = x[:, :, : int(lengths.max())]
        way = ForwardPass(tensors, at, lengths, watched)
        with self._precision():
            outputs = way.run(self.nodes, x)
        outputs = outputs.to(self.dtype)
        if len(outputs) < self.num_members:  # nothing that differs between members was computed
            outputs = outputs.expand(self.num_members, *outputs.shape[1:])
        return outputs, way

    def member_state(self, member: int) -> dict[str, Tensor]:
        """One member's tensors of the model, buffers too, without the member axis, on the CPU."""
        return {name: self.tensors[name].detach()[member].cpu().clone() for name in self.infos}

    def module(self, member: int) -> nn.Module:
        """One member as a plain torch module, in evaluation mode."""
        return finished_module(self.plans[member].layers, self.row, self.member_state(member))

    def _first(self) -> dict[str, Tensor]:
        each = [first_tensors(plan.layers, self.row, seed) for plan, seed in zip(self.plans, self.seeds, strict=True)]
        return {
            name: torch.stack([own[name] for own in each]).to(
                device=self.device, dtype=self.dtype if info.dtype == "float" else getattr(torch, info.dtype)
            )
            for name, info in self.infos.items()
        }

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, dtype=torch.bfloat16) if self.autocast else nullcontext()


def _may_be_cut(nodes: Sequence[Node]) -> bool:
    """Whether what is behind a row's length cannot matter to these layers, the last of which gives one length."""
    return not nodes[-1].gives.varies and not any(map(_needs_all_steps, nodes))


def _works_on_steps(node: Node) -> bool:
    if node.children:
        return any(map(_works_on_steps, node.children))
    return node.seen.varies and node.seen.tokens is None and bool(node.names)


def _takes_single_rows(node: Node) -> bool:
    return node.layer.least_rows(node.seen) == 1 and all(map(_takes_single_rows, node.children))


def _needs_all_steps(node: Node) -> bool:
    if not node.seen.varies:
        return False
    if node.children:
        return any(map(_needs_all_steps, node.children))
    is_random = any(member.is_random for member in node.members)
    return node.layer.is_whole or (is_random and not node.layer.draws_by_step)


def first_tensors(layers: Sequence[Layer], row: RowInfo, seed: int) -> dict[str, Tensor]:
    """One member's tensors before the first step, each from a stream of its own; numbers are float64."""
    from regcore.layers import tensors_of

    infos = tensors_of(layers, row)
    found = {info.name: _first(info, seed) for info in infos if info.first is not None}
    if len(found) < len(infos):
        # Modules of other libraries draw their own first values, all from one stream.
        with torch.random.fork_rng(devices=[]):
            torch.random.manual_seed(stream_seed(seed, "initialisation"))
            drawn = build_module(layers, row).state_dict()
        found |= {
            info.name: drawn[info.name].double() if info.dtype == "float" else drawn[info.name]
            for info in infos
            if info.first is None
        }
    return found


def _first(info: TensorInfo, seed: int) -> Tensor:
    assert info.first is not None, "drawn by its module otherwise"
    law, size = info.first
    values = torch.empty(info.shape, dtype=torch.float64)
    layer, _, tensor = info.name.rpartition(".")
    stream = generator(seed, "initialisation", layer, tensor)
    if law == "uniform":
        values.uniform_(-size, size, generator=stream)
    elif law == "normal":
        values.normal_(0, size, generator=stream)
    else:
        values.fill_(size)
    if info.has_padding:
        values[0] = 0
    return values.to(torch.float64 if info.dtype == "float" else torch.int64)
