"""The loop itself: K members from their first step to their selected weights."""

import copy
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from regcore.checkpoint import State
from regcore.data.prepare import PreparedData, Split
from regcore.errors import DivergedError, TrainingError, TrainingHalved, TrainingStopped
from regcore.loop.checkpointer import Checkpointer
from regcore.loop.compiled import compiled
from regcore.loop.control import Control
from regcore.loop.evaluate import evaluate, measure
from regcore.loop.losses import RowLosses
from regcore.loop.network import StackedNetwork
from regcore.plan import Plan
from regcore.record import Record, metrics_body
from regcore.regularizers import Effect
from regcore.schedule import Moment
from regcore.streams import generator

PROGRESS_EVERY_S = 0.5


@dataclass
class Member:
    """One of the K: its place in the stack is its place in the trainer's list.

    Attributes:
        key: Names it to whoever started the pass.
        plan: What it trains.
        on_record: Hears of its progress and metrics.
        history: Its evaluations, as bodies of `metrics` records.
        selected_epoch: Whose weights it keeps; 0 before any was selected.
    """

    key: str
    plan: Plan
    on_record: Callable[[Record], None]
    history: list[dict[str, Any]] = field(default_factory=list)
    selected_epoch: int = 0


@dataclass(frozen=True, eq=False)
class Ending:
    """Members that end together, and leave the stack.

    Attributes:
        members: In the order of the network's stack.
        network: Theirs alone, with the selected weights; None where there is no result.
        error: Why there is none.
    """

    members: list[Member]
    network: StackedNetwork | None = None
    error: TrainingError | None = None


class Trainer:
    """K members in training.

    Args:
        members: Their plans agree in everything but numbers.
        network: Their stacked weights, updated in place.
        data: The splits that all members share.
        losses: Loss per row.
        control: Asked between two steps.
        checkpointer: Saves the run when that is due, and before it stops; None to save nothing.

    Attributes:
        step: Optimizer steps taken.
        members: Those that still train.
    """

    def __init__(
        self,
        members: Sequence[Member],
        network: StackedNetwork,
        data: PreparedData,
        losses: RowLosses,
        *,
        control: Control | None = None,
        checkpointer: Checkpointer | None = None,
    ) -> None:
        self.members = list(members)
        self.network = network
        self.data = data
        self.losses = losses
        self.step = 0
        self._control = control or Control()
        self._checkpointer = checkpointer
        self._lead = members[0].plan
        plans = [member.plan for member in members]
        optimizers: list[Any] = [plan.resolved_spec.optimizer for plan in plans]
        self._update = type(optimizers[0]).bind(optimizers, network.weights)
        self._effects = bind_effects(plans)
        # What each step of this epoch saw: its data loss times its rows. One apart, so that the first bad one is known.
        self._objective = torch.zeros(
            self._lead.steps_per_epoch, len(plans), dtype=torch.float64, device=network.device
        )
        self._kept: dict[str, Tensor] = {}
        self._started_at = self._progress_at = time.monotonic()
        self._forward: Callable[..., Tensor] = network.forward

    def run(self) -> Iterator[Ending]:
        """Train to the last epoch, or until no member is left; tell of members as they end."""
        self._forward = self._make_forward()
        try:
            yield from self._run()
        except _AllDivergedError:
            yield from self._end_diverged(range(len(self.members)))

    def _run(self) -> Iterator[Ending]:
        training = self._lead.resolved_spec.training
        for epoch in range(self.step // self._lead.steps_per_epoch, training.epochs):
            yield from self._train_epoch(epoch)
            is_last = epoch + 1 == training.epochs
            rung = self._rung(epoch + 1)
            everybody = is_last or (epoch + 1) % training.eval_every_epochs == 0
            if self.members and (rung or everybody):
                yield from self._evaluate(epoch + 1, rung, everybody=everybody)
            if not self.members:
                return
        yield self._end(range(len(self.members)))

    def first_steps(self) -> Iterator[None]:
        """Take steps and do nothing else, one for each item, without end: for those who time them, uncompiled."""
        for rows in itertools.cycle(self._batches(0)):
            self._step(rows, self._moment(self.step))
            self.step += 1
            yield

    def state(self) -> State:
        """All that going on from here needs, besides what follows from the specs and from `step`."""
        return {
            "keys": [member.key for member in self.members],
            "weights": dict(self.network.weights),
            "kept": self._kept,
            "update": self._update.state,
            "effects": {name: effect.state() for name, effect in self._effects.items()},
            "objective": self._objective[: self.step % self._lead.steps_per_epoch].clone(),
            "history": [member.history for member in self.members],
            "selected_epochs": [member.selected_epoch for member in self.members],
            "elapsed_s": time.monotonic() - self._started_at,
        }

    @torch.no_grad()
    def resume(self, step: int, state: Mapping[str, Any]) -> None:
        """Go on from the state that was taken of these very members after so many steps."""
        self.step = step
        for name, weight in self.network.weights.items():
            weight.copy_(state["weights"][name])
        self._kept = {name: kept.to(self.network.device) for name, kept in state["kept"].items()}
        self._update.load_state(state["update"])
        for name, effect in self._effects.items():
            effect.load_state(state["effects"][name])
        self._objective[: len(state["objective"])].copy_(state["objective"])
        for member, history, epoch in zip(self.members, state["history"], state["selected_epochs"], strict=True):
            member.history, member.selected_epoch = history, epoch
        self._started_at -= state["elapsed_s"]

    def select(self, positions: Sequence[int]) -> "Trainer":
        """A trainer of some of the members alone, at the same step, with tensors of its own."""
        part = copy.copy(self)
        rows = torch.tensor(list(positions), device=self.network.device)
        part.members = [self.members[position] for position in positions]
        part._lead = part.members[0].plan
        part.network = self.network.select(positions)
        part._update = self._update.select(positions, part.network.weights)
        part._effects = {name: effect.select(positions) for name, effect in self._effects.items()}
        part._objective = self._objective.index_select(1, rows)
        part._kept = {name: kept.index_select(0, rows) for name, kept in self._kept.items()}
        part._forward = part._make_forward()
        return part

    def _make_forward(self) -> Callable[..., Tensor]:
        wanted = self._lead.resolved_spec.training.compile
        return compiled(self.network.forward, self._tell) if wanted else self.network.forward

    def _end(self, positions: Sequence[int], error: TrainingError | None = None) -> Ending:
        """Take members out of the stack: with their selected weights, or with an error."""
        members = [self.members[position] for position in positions]
        if self.step < self._lead.num_steps:  # else it has just been told
            progress = self._progress()
            for member in members:
                member.on_record(progress)
        network = None
        if error is None:
            ended = self if len(members) == len(self.members) else self.select(positions)
            ended._restore()
            network = ended.network
        rest = [position for position in range(len(self.members)) if position not in set(positions)]
        if rest:
            vars(self).update(vars(self.select(rest)))
        else:
            self.members = []
        return Ending(members, network, error)

    def _train_epoch(self, epoch: int) -> Iterator[Ending]:
        taken = self.step % self._lead.steps_per_epoch
        if taken == 0:
            self._objective.zero_()
        batches = self._batches(epoch)
        for start in range(taken, self._lead.steps_per_epoch):
            self._stop_or_save(epoch)
            for ending in self._let_leave(epoch):
                yield ending
                batches = self._batches(epoch)
            if not self.members:
                return
            self._step(batches[start], self._moment(self.step))
            self.step += 1
            self._tell_progress()
        yield from self._end_diverged(self._lost())

    def _stop_or_save(self, epoch: int) -> None:
        """Between two steps, where the state is whole."""
        stop = self._control.should_stop()
        if self._checkpointer is not None and (stop or self._checkpointer.due()):
            self._check_objective()  # a state without hope is not worth a checkpoint
            self._checkpointer.save(self.step, epoch, self.state())
        if stop:
            self._tell_progress(at_once=True)
            remedy = "Train it again." if self._checkpointer is None else "Call train again with the same resume_from."
            raise TrainingStopped("training was stopped", remedy=remedy)

    def _let_leave(self, epoch: int) -> Iterator[Ending]:
        """Save the members that are to leave, each for itself, and take them out."""
        leaving = self._control.leaving()
        if not any(member.key in leaving for member in self.members):
            return
        # A state without hope is not worth a checkpoint.
        yield from self._end_diverged([k for k in self._lost() if self.members[k].key in leaving])
        positions = [position for position, member in enumerate(self.members) if member.key in leaving]
        for position in positions:
            root = leaving[self.members[position].key]
            if root is not None and self._checkpointer is not None:
                alone = self.select([position])
                self._checkpointer.save_apart(root, alone.members[0].on_record, self.step, epoch, alone.state())
        if self._checkpointer is not None:
            self._checkpointer.membership_changed()
        if positions:
            yield self._end(positions, TrainingStopped("the member was asked to leave"))

    def _batches(self, epoch: int) -> list[Tensor]:
        """Row numbers of each step, (K, B): every member has its own order."""
        num_rows = len(self.data.train)
        size = self._lead.batch_size * self._lead.resolved_spec.training.grad_accumulation
        orders = [torch.randperm(num_rows, generator=generator(s, "order", epoch)) for s in self.network.seeds]
        return list(torch.split(torch.stack(orders).to(self.network.device), size, dim=1))

    def _step(self, rows: Tensor, moment: Moment) -> None:
        weights, gradients = self.network.weights, self._gradients(rows, moment)
        with torch.no_grad():
            for effect in self._effects.values():
                effect.on_gradients(weights, gradients, moment)
            for effect in self._effects.values():
                effect.before_step(weights, self._update, moment)
            self._update.step(gradients, moment)
            for effect in self._effects.values():
                effect.after_step(weights, self._update, moment)

    def _gradients(self, rows: Tensor, moment: Moment) -> dict[str, Tensor]:
        """Of the mean data loss over the step's rows; members do not meet, so one backward serves all."""
        names, leaves = list(self.network.weights), list(self.network.weights.values())
        total: list[Tensor] = []
        objective = self._objective[moment.step % self._lead.steps_per_epoch]
        for part, chosen in enumerate(torch.split(rows, self._lead.batch_size, dim=1)):
            x, y = _gather(self.data.train, chosen)
            outputs = self._forward(x, training=True, step=moment.step, micro_batch=part)
            data_loss = self.losses(outputs.to(self.data.train.x.dtype), y).sum(1) / rows.shape[1]
            objective.add_(data_loss.detach(), alpha=rows.shape[1])
            gradients = torch.autograd.grad(data_loss.sum(), leaves)
            total = [a.add_(b) for a, b in zip(total, gradients, strict=True)] if total else list(gradients)
        return dict(zip(names, total, strict=True))

    def _rung(self, epoch: int) -> dict[str, str]:
        """The members that are judged after this epoch, with the metric that each is judged by."""
        rungs = {member.key: self._control.rungs(member.key) for member in self.members}
        return {key: rung.metric for key, rung in rungs.items() if epoch in rung.epochs}

    @torch.no_grad()
    def _evaluate(self, epoch: int, rung: Mapping[str, str], *, everybody: bool) -> Iterator[Ending]:
        """Record the metrics of all members, or of those at a rung alone, and let those go that end here."""
        moment = self._moment(epoch * self._lead.steps_per_epoch - 1)
        # A rung of others is no evaluation of a member's own: alone it would have none here either.
        table = [
            values if everybody or member.key in rung else None
            for member, values in zip(self.members, self._measure(moment), strict=True)
        ]
        for member, values in zip(self.members, table, strict=True):
            if values is None:
                continue
            body = metrics_body(epoch, moment.step + 1, values)
            record = Record("metrics", body)
            member.history.append({"seq": len(member.history) + 1, "at": record.at, **body})
            member.on_record(record)
        lost = [k for k, values in enumerate(table) if values is not None and not math.isfinite(values["train/loss"])]
        if lost:
            yield from self._end_diverged(lost)
            table = [values for k, values in enumerate(table) if k not in lost]
        if not self.members:
            return
        stopped = self._hear(table, epoch)
        if stopped:
            yield self._end(sorted(stopped))
            table = [values for k, values in enumerate(table) if k not in stopped]
        # A member at its last epoch has nothing to be spared.
        if rung and self.members and epoch < self._lead.num_epochs:
            yield from self._judge(epoch, rung, table)

    def _end_diverged(self, positions: Sequence[int]) -> Iterator[Ending]:
        """One error for each: they broke at different steps. With none left, the run is over."""
        errors = {self.members[position].key: self._diverged(position) for position in positions}
        for key, error in errors.items():
            position = next(k for k, member in enumerate(self.members) if member.key == key)
            yield self._end([position], error)

    def _judge(
        self, epoch: int, rung: Mapping[str, str], table: Sequence[Mapping[str, float] | None]
    ) -> Iterator[Ending]:
        values = {
            member.key: measured[rung[member.key]]
            for member, measured in zip(self.members, table, strict=True)
            if measured is not None and member.key in rung
        }
        fallen = self._control.judge(epoch, values) if values else ()
        positions = [position for position, member in enumerate(self.members) if member.key in fallen]
        if positions:
            yield self._end(positions, TrainingHalved(f"others of its sweep were better after epoch {epoch}"))

    def _measure(self, moment: Moment) -> list[dict[str, float]]:
        """Each member's metrics on every split, in evaluation mode, and what its optimizer saw."""
        table = self._measure_objective(moment)
        for name in ("train", "validation", "test"):
            split = getattr(self.data, name)
            if split is None:
                continue
            measured = measure(evaluate(self.network, split, self.losses), self._lead.loss)
            for values, own in zip(table, measured, strict=True):
                values.update({f"{name}/{metric}": value for metric, value in own.items()})
        for values in table:
            if "test/loss" in values:
                values["generalization_gap"] = values["test/loss"] - values["train/loss"]
        return table

    def _measure_objective(self, moment: Moment) -> list[dict[str, float]]:
        """What the optimizer saw, each penalty by its name, the rate and the zeros."""
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

    def _hear(self, table: Sequence[Mapping[str, float] | None], epoch: int) -> frozenset[int]:
        """Let the effects look at the metrics, and keep the weights of those members that they want kept.

        Returns:
            Places of the members that have stopped.
        """
        selects, stopped = False, frozenset[int]()
        for effect in self._effects.values():
            if type(effect).on_evaluation is Effect.on_evaluation:
                continue
            selects = True
            verdict = effect.on_evaluation(table)
            stopped |= verdict.stop
            for k in verdict.keep:
                self._keep(k)
                self.members[k].selected_epoch = epoch
        if not selects:
            for member, values in zip(self.members, table, strict=True):
                member.selected_epoch = member.selected_epoch if values is None else epoch
        return stopped

    def _keep(self, member: int) -> None:
        for name, weight in self.network.weights.items():
            if name not in self._kept:
                self._kept[name] = torch.zeros_like(weight)
            self._kept[name][member] = weight.detach()[member]

    @torch.no_grad()
    def _restore(self) -> None:
        """Give each member the weights that were kept of it; one whose metric was never finite ends with its last."""
        selected = [k for k, member in enumerate(self.members) if member.selected_epoch]
        for name, kept in self._kept.items():
            self.network.weights[name][selected] = kept[selected]
        for member in self.members:
            member.selected_epoch = member.selected_epoch or member.history[-1]["epoch"]

    def _moment(self, step: int) -> Moment:
        return Moment(step, self._lead.steps_per_epoch, self._lead.num_steps)

    def _tell(self, record: Record) -> None:
        for member in self.members:
            member.on_record(record)

    def _tell_progress(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if not at_once and 1 < self.step < self._lead.num_steps and now - self._progress_at < PROGRESS_EVERY_S:
            return
        self._progress_at = now
        self._tell(self._progress())
        self._check_objective()  # no need to go through a long epoch once it is lost

    def _progress(self) -> Record:
        step, num_steps = self.step, self._lead.num_steps
        fraction = step / num_steps
        body = {
            "epoch": step // self._lead.steps_per_epoch,
            "num_epochs": self._lead.num_epochs,
            "step": step,
            "num_steps": num_steps,
            "fraction": fraction,
            "eta_s": round((time.monotonic() - self._started_at) * (1 - fraction) / fraction, 3) if step else None,
        }
        return Record("progress", body)

    def _check_objective(self) -> None:
        """Give up once every member has seen a loss that is not finite.

        One of several goes on unseen until the epoch's end, so that when it leaves does not depend on the clock.
        """
        if len(self._lost()) == len(self.members):
            raise _AllDivergedError

    def _lost(self) -> list[int]:
        """Places of the members that saw a loss in this epoch that is not finite."""
        found: list[int] = (~torch.isfinite(self._objective).all(0)).nonzero().flatten().tolist()
        return found

    def _diverged(self, position: int) -> DivergedError:
        """Names the first step whose loss was bad; the last one where only the evaluation shows it."""
        member = self.members[position]
        bad = (~torch.isfinite(self._objective[:, position])).nonzero()
        step = self.step
        if len(bad):
            step = (step - 1) // self._lead.steps_per_epoch * self._lead.steps_per_epoch + int(bad[0]) + 1
        good = [row for row in member.history if not row["non_finite"]]
        rate = member.plan.resolved_spec.optimizer.learning_rate
        epoch = (step - 1) // self._lead.steps_per_epoch + 1
        return DivergedError(
            f"the training loss became infinite or NaN at step {step}, in epoch {epoch}",
            remedy=f"Lower optimizer.learning_rate (now {rate:g}), e.g. to {rate / 10:g}, or warm it up.",
            details={"step": step, "epoch": epoch, "last_finite": good[-1]["values"] if good else None},
        )


class _AllDivergedError(Exception):
    """No member has a finite loss left."""


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
