"""One step of K members, with every hook in its place; see `regcore.loop` for the order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from regcore.at import At
from regcore.data.rows import Batch, Rows
from regcore.layers.forward import warm
from regcore.loop.compiled import compiled
from regcore.loop.length_groups import LengthGroups
from regcore.loop.network import StackedNetwork
from regcore.optim import Elementwise, Update
from regcore.passes import Pass, Slope
from regcore.record import Record
from regcore.regularizers import Effect
from regcore.tasks import Task

if TYPE_CHECKING:
    from regcore.regularizers.effect import Compute, Slopes

Differentiate = Callable[..., tuple[Sequence[Tensor], dict[str, Tensor], Mapping[str, Tensor]]]
"""As `Step._differentiate`."""


class Step:
    """What all steps of a run share; it holds no state.

    Args:
        network: The members' tensors and their forward pass.
        task: What outputs mean.
        rows: What is learned from.
        update: The optimizer at work.
        effects: The regularizers at work, in the spec's order.
        batch_size: Rows of a micro-batch.

    Attributes:
        differentiate: `_differentiate`, or what a compiler made of it.
    """

    def __init__(
        self,
        network: StackedNetwork,
        task: Task,
        rows: Rows,
        update: Update,
        effects: Sequence[Effect],
        batch_size: int,
    ) -> None:
        self.network = network
        self._task = task
        self._rows = rows
        self._update = update
        self._batch_size = batch_size
        self._effects = effects
        self._chains: dict[str, list[Effect]] = {}
        self._watched: frozenset[str] = frozenset().union(*(effect.watched_layers for effect in effects))
        self._merged: tuple[list[Mapping[str, Elementwise]], dict[str, Elementwise]] = ([], {})
        self._is_settled = all(effect.is_settled for effect in self.chain("elementwise"))
        self._groups = LengthGroups(rows, batch_size) if self._takes_rows_apart() else None
        self.differentiate: Differentiate = self._differentiate

    def compile(self, on_record: Callable[[Record], None]) -> None:
        """Compile forward and backward from now on; if that fails, a warning says so."""
        self._groups = None  # a compiled pass has rows of one length
        # What changes in the first pass would be compiled twice.
        warm(self.network.nodes, self.network.tensors)
        for hook in ("weights", "loss"):
            self.chain(hook)
        self.differentiate = compiled(self._differentiate, on_record)

    def chain(self, hook: str) -> list[Effect]:
        """The effects that act at a hook, by their ranks there; among equals in the spec's order."""
        if hook not in self._chains:
            acting = [effect for effect in self._effects if getattr(type(effect), hook) is not getattr(Effect, hook)]
            self._chains[hook] = sorted(acting, key=lambda effect: effect.ranks.get(hook, 0))
        return self._chains[hook]

    def advance(self, learned: Mapping[str, Tensor], rows: Tensor, at: At) -> Mapping[str, Tensor]:
        """Take one step over these rows, (K, B), in place.

        Returns:
            The mean over the rows of the data loss, `data`, and of each term that regularizers add, (K,).
        """
        slope: Slopes = partial(self._slope, rows, learned)
        for effect in self.chain("gradients"):
            slope = partial(effect.gradients, slope)
        found = slope(learned, at)
        tensors = self.network.tensors
        with torch.no_grad():
            self._update.step(learned, found.gradients, self._elementwise(at), at)
            for name, buffer in found.buffers.items():
                tensors[name].copy_(buffer)
            for effect in self.chain("after_step"):
                effect.after_step(tensors, self._update, at)
        return found.losses

    def compute(self, tensors: Mapping[str, Tensor], batch: Batch, at: At) -> Pass:
        """The innermost: what the network says, and how wrong that is, row by row."""
        outputs, way = self.network.forward(tensors, batch.x, at, batch.lengths, self._watched)
        losses = self._task.row_losses(outputs, batch.y)
        return Pass(outputs, losses, {}, way.buffers, way.outputs, way.output_lengths)

    def _slope(self, rows: Tensor, learned: Mapping[str, Tensor], weights: Mapping[str, Tensor], at: At) -> Slope:
        """The gradient of the mean objective over the step's rows. Members do not meet, so one backward serves all."""
        leaves, tensors = weights, self.network.tensors
        if weights is not learned:  # somewhere else than where the weights are
            leaves = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
            tensors = {**tensors, **leaves}
        total: list[Tensor] = []
        losses: dict[str, Tensor] = {}
        buffers: Mapping[str, Tensor] = {}
        num_rows = rows.shape[1]
        for micro, part in enumerate(self._parts(rows)):
            here = replace(at, micro=micro) if micro else at
            own = {**tensors, **buffers} if buffers else tensors
            gradients, means, buffers = self.differentiate(own, self._batch(part, here), list(leaves), num_rows, here)
            total = [a.add_(b) for a, b in zip(total, gradients, strict=True)] if total else list(gradients)
            for name, mean in means.items():
                losses[name] = losses[name] + mean if micro else mean
        return Slope(dict(zip(leaves, total, strict=True)), losses, buffers)

    def _parts(self, rows: Tensor) -> Sequence[Tensor]:
        """The rows that are passed together."""
        parts = torch.split(rows, self._batch_size, 1) if rows.shape[1] > self._batch_size else [rows]
        return parts if self._groups is None else [group for part in parts for group in self._groups.of(part)]

    def _takes_rows_apart(self) -> bool:
        """Whether it makes no difference which rows are passed together, and short rows gain by it."""
        are_together = bool(self.chain("on_batch") or self.chain("loss"))  # such as mixup, and a mean loss that floods
        network = self.network
        return network.cuts_rows and network.works_on_steps and network.takes_single_rows and not are_together

    def _batch(self, rows: Tensor, at: At) -> Batch:
        """Some rows, as the regularizers want them."""
        batch = self._task.targets(self._rows.fetch(rows).to(self.network.device))
        for effect in self.chain("on_batch"):
            batch = effect.on_batch(batch, at)
        return batch

    def _differentiate(
        self, tensors: Mapping[str, Tensor], batch: Batch, learned: Sequence[str], num_rows: int, at: At
    ) -> tuple[Sequence[Tensor], dict[str, Tensor], Mapping[str, Tensor]]:
        """What a batch adds to the step: forward and backward, which `training.compile` compiles as one.

        Args:
            tensors: What to compute with.
            batch: A part of the step's rows.
            learned: The names of the tensors whose gradients are wanted.
            num_rows: Of the whole step.
            at: The place in the run.

        Returns:
            The gradients of this part of the mean objective, its part of each term, (K,), and the buffers behind it.
        """
        found = self._pass(tensors, batch, at)
        objective = {"data": found.losses, **found.terms}
        whole = reduce(torch.add, [values.sum() for values in objective.values()]) / num_rows
        # A user's module may leave some of its parameters unused.
        leaves = [tensors[name] for name in learned]
        gradients = torch.autograd.grad(whole, leaves, allow_unused=True, materialize_grads=True)
        return gradients, {name: values.detach().sum(1) / num_rows for name, values in objective.items()}, found.buffers

    def _pass(self, tensors: Mapping[str, Tensor], batch: Batch, at: At) -> Pass:
        """One pass over a batch, as the regularizers want it."""
        for effect in self.chain("weights"):
            tensors = effect.weights(tensors, at)
        compute: Compute = partial(self.compute, tensors)
        for effect in self.chain("loss"):
            compute = partial(effect.loss, compute)
        return compute(batch, at)

    def _elementwise(self, at: At) -> Mapping[str, Elementwise]:
        """What all effects do to each weight, merged; found again while no effect changes its part."""
        known, merged = self._merged
        if self._is_settled and known:
            return merged
        parts = [effect.elementwise(self._update, at) for effect in self.chain("elementwise")]
        if len(known) != len(parts) or any(a is not b for a, b in zip(parts, known, strict=True)):
            merged = {}
            for part in parts:
                for name, does in part.items():
                    merged[name] = merged[name] & does if name in merged else does
            self._merged = parts, merged
        return merged
