"""K members as numbers: their weights, their updates and the losses of each step. It does not know of jobs."""

import copy
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from regcore.checkpoint import State
from regcore.data.prepare import PreparedData, Split
from regcore.loop.compiled import compiled
from regcore.loop.evaluate import evaluate, measure
from regcore.loop.losses import RowLosses
from regcore.loop.network import StackedNetwork
from regcore.plan import Plan
from regcore.record import Record
from regcore.regularizers import Effect, EpochChoice
from regcore.schedule import Moment
from regcore.streams import generator


class Stack:
    """The computations of a training pass.

    Args:
        plans: One per member; they agree in everything but numbers.
        network: Their stacked weights, updated in place.
        data: The splits that all members share.
        losses: Loss per row.

    Attributes:
        step: Optimizer steps taken.
    """

    def __init__(self, plans: Sequence[Plan], network: StackedNetwork, data: PreparedData, losses: RowLosses) -> None:
        self.network = network
        self.data = data
        self.step = 0
        self._losses = losses
        self._lead = plans[0]
        optimizers: list[Any] = [plan.resolved_spec.optimizer for plan in plans]
        self._update = type(optimizers[0]).bind(optimizers, network.weights)
        self._effects = bind_effects(plans)
        # The data loss of each step of this epoch, times its rows. Kept by step, so that the first bad one can be
        # found.
        self._objective = torch.zeros(
            self._lead.steps_per_epoch, len(plans), dtype=torch.float64, device=network.device
        )
        self._kept: dict[str, Tensor] = {}
        self._forward: Callable[..., Tensor] = network.forward

    def compile(self, on_record: Callable[[Record], None]) -> None:
        """Compile the forward pass from now on; if that fails, a warning says so."""
        self._forward = compiled(self.network.forward, on_record)

    def state(self) -> State:
        """Everything needed to resume, except what follows from the plans and from `step`."""
        return {
            "weights": dict(self.network.weights),
            "kept": self._kept,
            "update": self._update.state,
            "effects": {name: effect.state() for name, effect in self._effects.items()},
            "objective": self._objective[: self.step % self._lead.steps_per_epoch].clone(),
        }

    @torch.no_grad()
    def resume(self, step: int, state: Mapping[str, Any]) -> None:
        """Resume from a state of the same members after this many steps."""
        self.step = step
        for name, weight in self.network.weights.items():
            weight.copy_(state["weights"][name])
        self._kept = {name: kept.to(self.network.device) for name, kept in state["kept"].items()}
        self._update.load_state(state["update"])
        for name, effect in self._effects.items():
            effect.load_state(state["effects"][name])
        self._objective[: len(state["objective"])].copy_(state["objective"])

    def select(self, positions: Sequence[int]) -> "Stack":
        """A copy with some of the members, at the same step."""
        part = copy.copy(self)
        rows = torch.tensor(list(positions), dtype=torch.int64, device=self.network.device)
        part.network = self.network.select(positions)
        part._update = self._update.select(positions, part.network.weights)
        part._effects = {name: effect.select(positions) for name, effect in self._effects.items()}
        part._objective = self._objective.index_select(1, rows)
        part._kept = {name: kept.index_select(0, rows) for name, kept in self._kept.items()}
        part._forward = part.network.forward
        return part

    def first_steps(self) -> Iterator[None]:
        """Take one step for each item, without end, for timing."""
        for rows in itertools.cycle(self.batches(0)):
            self.advance(rows)
            yield

    def batches(self, epoch: int) -> list[Tensor]:
        """Row numbers of each step, (K, B): every member has its own order."""
        num_rows = len(self.data.train)
        size = self._lead.batch_size * self._lead.resolved_spec.training.grad_accumulation
        orders = [torch.randperm(num_rows, generator=generator(s, "order", epoch)) for s in self.network.seeds]
        return list(torch.split(torch.stack(orders).to(self.network.device), size, dim=1))

    def advance(self, rows: Tensor) -> None:
        """Take one step over these rows, (K, B)."""
        moment = self._moment(self.step)
        if moment.step % self._lead.steps_per_epoch == 0:
            self._objective.zero_()
        weights, gradients = self.network.weights, self._gradients(rows, moment)
        with torch.no_grad():
            for effect in self._effects.values():
                effect.on_gradients(weights, gradients, moment)
            for effect in self._effects.values():
                effect.before_step(weights, self._update, moment)
            self._update.step(gradients, moment)
            for effect in self._effects.values():
                effect.after_step(weights, self._update, moment)
        self.step += 1

    def lost(self) -> list[int]:
        """Places of the members that had a non-finite loss in this epoch."""
        found: list[int] = (~torch.isfinite(self._objective).all(0)).nonzero().flatten().tolist()
        return found

    def first_bad_step(self, position: int) -> int | None:
        """The first step of this epoch with a non-finite loss, counted from 1; None if there is none."""
        bad = (~torch.isfinite(self._objective[:, position])).nonzero()
        if not len(bad):
            return None
        return (self.step - 1) // self._lead.steps_per_epoch * self._lead.steps_per_epoch + int(bad[0]) + 1

    @torch.no_grad()
    def measure(self, also: Sequence[Collection[str]] | None = None) -> list[dict[str, float]]:
        """Each member's metrics on every split, in evaluation mode, and its objective in the last step.

        Args:
            also: For each member further metrics, such as `validation/auroc`.
        """
        table = self._measure_objective(self._moment(self.step - 1))
        for name in ("train", "validation", "test"):
            split = getattr(self.data, name)
            if split is None:
                continue
            evaluation = evaluate(self.network, split, self._losses, scaling=self.data.target_scaling)
            asked = [
                sorted(metric.removeprefix(f"{name}/") for metric in names if metric.startswith(f"{name}/"))
                for names in also or ()
            ]
            measured = measure(evaluation, self._lead.loss, asked)
            for values, own in zip(table, measured, strict=True):
                values.update({f"{name}/{metric}": value for metric, value in own.items()})
        for values in table:
            if "test/loss" in values:
                values["generalization_gap"] = values["test/loss"] - values["train/loss"]
        return table

    def hear(self, table: Sequence[Mapping[str, float]]) -> EpochChoice | None:
        """Pass each member's metrics to the effects, and remember the weights of members that they select.

        Returns:
            Which members' weights were remembered, and which can stop; None if no effect selects among epochs.
        """
        verdicts = [
            effect.on_evaluation(table)
            for effect in self._effects.values()
            if type(effect).on_evaluation is not Effect.on_evaluation
        ]
        if not verdicts:
            return None
        heard = EpochChoice(
            keep=frozenset().union(*(verdict.keep for verdict in verdicts)),
            stop=frozenset().union(*(verdict.stop for verdict in verdicts)),
            undefined={k: metric for verdict in verdicts for k, metric in verdict.undefined.items()},
        )
        for position in heard.keep:
            self._keep(position)
        return heard

    @torch.no_grad()
    def restore(self, positions: Sequence[int]) -> None:
        """Give these members the weights that were last remembered for each."""
        for name, kept in self._kept.items():
            self.network.weights[name][positions] = kept[positions]

    def _keep(self, member: int) -> None:
        for name, weight in self.network.weights.items():
            if name not in self._kept:
                self._kept[name] = torch.zeros_like(weight)
            self._kept[name][member] = weight.detach()[member]

    def _gradients(self, rows: Tensor, moment: Moment) -> dict[str, Tensor]:
        """Gradients of the mean data loss over the step's rows. Members are independent, so one backward serves all."""
        names, leaves = list(self.network.weights), list(self.network.weights.values())
        total: list[Tensor] = []
        objective = self._objective[moment.step % self._lead.steps_per_epoch]
        for part, chosen in enumerate(torch.split(rows, self._lead.batch_size, dim=1)):
            x, y = _gather(self.data.train, chosen)
            outputs = self._forward(x, training=True, step=moment.step, micro_batch=part)
            data_loss = self._losses(outputs.to(self.data.train.x.dtype), y).sum(1) / rows.shape[1]
            objective.add_(data_loss.detach(), alpha=rows.shape[1])
            gradients = torch.autograd.grad(data_loss.sum(), leaves)
            total = [a.add_(b) for a, b in zip(total, gradients, strict=True)] if total else list(gradients)
        return dict(zip(names, total, strict=True))

    def _measure_objective(self, moment: Moment) -> list[dict[str, float]]:
        """The objective, each penalty by its name, the learning rate and the zeros."""
        weights = self.network.weights
        columns = {"objective/data": self._objective.sum(0) / len(self.data.train)}
        for name, effect in self._effects.items():
            if effect.members[0].adds_to_objective:
                columns[f"objective/penalty.{name}"] = effect.penalty(weights, moment)
        columns["objective/total"] = torch.stack(list(columns.values())).sum(0)
        columns["num_zeros"] = sum(
            ((weight == 0).flatten(1).sum(1).double() for weight in weights.values() if weight.dim() > 2),
            torch.zeros_like(self._objective[0]),
        )
        sizes = sum(weight[0].numel() for weight in weights.values() if weight.dim() > 2)
        columns["sparsity"] = columns["num_zeros"] / max(1, sizes)
        table = torch.stack(list(columns.values())).T.tolist()
        named = [dict(zip(columns, row, strict=True)) for row in table]
        for values, rate in zip(named, self._update.rates(moment), strict=True):
            values["learning_rate"] = rate
        return named

    def _moment(self, step: int) -> Moment:
        return Moment(step, self._lead.steps_per_epoch, self._lead.num_steps)


def bind_effects(plans: Sequence[Plan]) -> dict[str, Effect]:
    """Each regularizer's effect for all members, by the regularizer's name in the plan."""
    effects: dict[str, Effect] = {}
    for position, planned in enumerate(plans[0].regularizers):
        members = [plan.resolved_spec.regularizers[position] for plan in plans]
        effect = type(members[0]).bind(members, planned.parameters)
        if effect is not None:
            effects[planned.name] = effect
    return effects


def _gather(split: Split, rows: Tensor) -> tuple[Tensor, Tensor]:
    """(K, B, ...) rows of a split, for row numbers (K, B)."""
    flat = rows.flatten()
    x, y = split.x.index_select(0, flat), split.y.index_select(0, flat)
    return x.view(*rows.shape, *x.shape[1:]), y.view(rows.shape)
