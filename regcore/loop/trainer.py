"""The loop itself: K members from their first step to their selected weights."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from regcore.checkpoint import State
from regcore.data.prepare import PreparedData, Split
from regcore.errors import DivergedError, TrainingStopped
from regcore.loop.checkpointer import Checkpointer
from regcore.loop.compiled import compiled
from regcore.loop.evaluate import evaluate, measure
from regcore.loop.losses import RowLosses
from regcore.loop.network import StackedNetwork
from regcore.plan import Plan
from regcore.record import Record, metrics_body
from regcore.regularizers import Effect
from regcore.schedule import Moment
from regcore.streams import generator

PROGRESS_EVERY_S = 0.5


class Trainer:
    """K members in training.

    Args:
        plans: One per member; they agree in everything but numbers.
        network: Their stacked weights, updated in place.
        data: The splits that all members share.
        losses: Loss per row.
        on_record: Hears of progress and metrics; of member 0.
        should_stop: Asked before every step.
        checkpointer: Saves the run when that is due, and before it stops; None to save nothing.

    Attributes:
        step: Optimizer steps taken.
        history: For each member its evaluations, as bodies of `metrics` records.
        selected_epochs: Whose weights each member keeps.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
        network: StackedNetwork,
        data: PreparedData,
        losses: RowLosses,
        *,
        on_record: Callable[[Record], None],
        should_stop: Callable[[], bool],
        checkpointer: Checkpointer | None = None,
    ) -> None:
        self.plans = plans
        self.network = network
        self.data = data
        self.losses = losses
        self.step = 0
        self.history: list[list[dict[str, Any]]] = [[] for _ in plans]
        self.selected_epochs = [0 for _ in plans]
        self._on_record = on_record
        self._should_stop = should_stop
        self._checkpointer = checkpointer
        self._lead = plans[0]
        optimizers: list[Any] = [plan.resolved_spec.optimizer for plan in plans]
        self._update = type(optimizers[0]).bind(optimizers, network.weights)
        self._effects = _bind_effects(plans)
        # What each step of this epoch saw: its data loss times its rows. One apart, so that the first bad one is known.
        self._objective = torch.zeros(
            self._lead.steps_per_epoch, len(plans), dtype=torch.float64, device=network.device
        )
        self._kept: dict[str, Tensor] = {}
        self._started_at = self._progress_at = time.monotonic()
        self._forward: Callable[..., Tensor] = network.forward
        if self._lead.resolved_spec.training.compile:
            self._forward = compiled(network.forward, on_record)

    def run(self) -> None:
        """Train to the last epoch, or until every member has stopped; then restore the selected weights."""
        training = self._lead.resolved_spec.training
        for epoch in range(self.step // self._lead.steps_per_epoch, training.epochs):
            self._train_epoch(epoch)
            if (epoch + 1) % training.eval_every_epochs == 0 or epoch + 1 == training.epochs:
                stopped = self._evaluate(epoch + 1)
                if len(stopped) == len(self.plans):
                    break
        self._restore()

    def state(self) -> State:
        """All that going on from here needs, besides what follows from the spec and from `step`."""
        return {
            "weights": dict(self.network.weights),
            "kept": self._kept,
            "update": self._update.state,
            "effects": {name: effect.state() for name, effect in self._effects.items()},
            "objective": self._objective[: self.step % self._lead.steps_per_epoch].clone(),
            "history": self.history,
            "selected_epochs": self.selected_epochs,
            "elapsed_s": time.monotonic() - self._started_at,
        }

    @torch.no_grad()
    def resume(self, step: int, state: Mapping[str, Any]) -> None:
        """Go on from the state that was taken after so many steps."""
        self.step = step
        for name, weight in self.network.weights.items():
            weight.copy_(state["weights"][name])
        self._kept = {name: kept.to(self.network.device) for name, kept in state["kept"].items()}
        self._update.load_state(state["update"])
        for name, effect in self._effects.items():
            effect.load_state(state["effects"][name])
        self._objective[: len(state["objective"])].copy_(state["objective"])
        self.history = state["history"]
        self.selected_epochs = state["selected_epochs"]
        self._started_at -= state["elapsed_s"]

    def _train_epoch(self, epoch: int) -> None:
        taken = self.step % self._lead.steps_per_epoch
        if taken == 0:
            self._objective.zero_()
        for rows in islice(self._batches(epoch), taken, None):
            self._stop_or_save(epoch)
            self._step(rows, self._moment(self.step))
            self.step += 1
            self._tell_progress()
        self._check_objective()

    def _stop_or_save(self, epoch: int) -> None:
        """Between two steps, where the state is whole."""
        stop = self._should_stop()
        if self._checkpointer is not None and (stop or self._checkpointer.due()):
            self._check_objective()  # a state without hope is not worth a checkpoint
            self._checkpointer.save(self.step, epoch, self.state())
        if stop:
            self._tell_progress(at_once=True)
            remedy = "Train it again." if self._checkpointer is None else "Call train again with the same resume_from."
            raise TrainingStopped("training was stopped", remedy=remedy)

    def _batches(self, epoch: int) -> Iterator[Tensor]:
        """Row numbers of each step, (K, B): every member has its own order."""
        num_rows = len(self.data.train)
        size = self._lead.batch_size * self._lead.resolved_spec.training.grad_accumulation
        orders = [torch.randperm(num_rows, generator=generator(s, "order", epoch)) for s in self.network.seeds]
        return iter(torch.split(torch.stack(orders).to(self.network.device), size, dim=1))

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

    @torch.no_grad()
    def _evaluate(self, epoch: int) -> frozenset[int]:
        """Record every member's metrics, and hear the effects; returns the members that have stopped."""
        moment = self._moment(epoch * self._lead.steps_per_epoch - 1)
        table = self._measure_objective(moment)
        for name in ("train", "validation", "test"):
            split = getattr(self.data, name)
            if split is not None:
                for values, measured in zip(
                    table, measure(evaluate(self.network, split, self.losses), self._lead.loss), strict=True
                ):
                    values.update({f"{name}/{metric}": value for metric, value in measured.items()})
        for k, values in enumerate(table):
            if "test/loss" in values:
                values["generalization_gap"] = values["test/loss"] - values["train/loss"]
            body = metrics_body(epoch, moment.step + 1, values)
            record = Record("metrics", body)
            self.history[k].append({"seq": len(self.history[k]) + 1, "at": record.at, **body})
            if k == 0:
                self._on_record(record)
        if not all(math.isfinite(values["train/loss"]) for values in table):
            raise self._diverged(self.step)  # by the last step, which no later objective would show
        return self._hear(table, epoch)

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

    def _hear(self, table: list[dict[str, float]], epoch: int) -> frozenset[int]:
        """Let the effects look at the metrics, and keep the weights of those members that they want kept."""
        selects, stopped = False, frozenset[int]()
        for effect in self._effects.values():
            if type(effect).on_evaluation is Effect.on_evaluation:
                continue
            selects = True
            verdict = effect.on_evaluation(table)
            stopped |= verdict.stop
            for k in verdict.keep:
                self._keep(k)
                self.selected_epochs[k] = epoch
        if not selects:
            self.selected_epochs = [epoch for _ in self.plans]
        return stopped

    def _keep(self, member: int) -> None:
        for name, weight in self.network.weights.items():
            kept = self._kept.setdefault(name, weight.detach().clone())
            kept[member] = weight.detach()[member]

    @torch.no_grad()
    def _restore(self) -> None:
        for name, kept in self._kept.items():
            self.network.weights[name].copy_(kept)

    def _moment(self, step: int) -> Moment:
        return Moment(step, self._lead.steps_per_epoch, self._lead.num_steps)

    def _tell_progress(self, *, at_once: bool = False) -> None:
        step, num_steps = self.step, self._lead.num_steps
        now = time.monotonic()
        if not at_once and 1 < step < num_steps and now - self._progress_at < PROGRESS_EVERY_S:
            return
        self._progress_at = now
        fraction = step / num_steps
        body = {
            "epoch": step // self._lead.steps_per_epoch,
            "num_epochs": self._lead.num_epochs,
            "step": step,
            "num_steps": num_steps,
            "fraction": fraction,
            "eta_s": round((now - self._started_at) * (1 - fraction) / fraction, 3) if step else None,
        }
        self._on_record(Record("progress", body))
        self._check_objective()  # no need to go through a long epoch once it is lost

    def _check_objective(self) -> None:
        """Raise DivergedError if a step of this epoch saw a loss that is not finite, naming the first one."""
        bad = (~torch.isfinite(self._objective).all(1)).nonzero()
        if len(bad):
            epoch = (self.step - 1) // self._lead.steps_per_epoch
            raise self._diverged(epoch * self._lead.steps_per_epoch + int(bad[0]) + 1)

    def _diverged(self, step: int) -> DivergedError:
        good = [row for row in self.history[0] if not row["non_finite"]]
        rate = self._lead.resolved_spec.optimizer.learning_rate
        epoch = (step - 1) // self._lead.steps_per_epoch + 1
        return DivergedError(
            f"the training loss became infinite or NaN at step {step}, in epoch {epoch}",
            remedy=f"Lower optimizer.learning_rate (now {rate:g}), e.g. to {rate / 10:g}, or warm it up.",
            details={"step": step, "epoch": epoch, "last_finite": good[-1]["values"] if good else None},
        )


def _bind_effects(plans: Sequence[Plan]) -> dict[str, Effect]:
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
    if len(rows) == 1:
        return split.x.index_select(0, rows[0]).unsqueeze(0), split.y.index_select(0, rows[0]).unsqueeze(0)
    return split.x[rows], split.y[rows]
