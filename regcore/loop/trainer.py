"""The loop: K members from their first step to their selected weights, each with its own end."""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from regcore.checkpoint import State
from regcore.data.prepared import PreparedData
from regcore.errors import DivergedError, TrainingError, TrainingHalved, TrainingStopped
from regcore.loop.checkpointer import Checkpointer
from regcore.loop.computing import computing
from regcore.loop.control import Control
from regcore.loop.divergence import diverged
from regcore.loop.effects import Inputs
from regcore.loop.member import EndedMembers, Member
from regcore.loop.network import StackedNetwork
from regcore.loop.progress import Progress
from regcore.loop.stack import Stack
from regcore.record import Record, finite_or_null, metrics_body
from regcore.tasks import Task


class Trainer:
    """K members in training.

    Args:
        members: Their plans agree in everything but numbers.
        network: Their stacked weights, updated in place.
        data: The splits that all members share.
        task: What outputs mean.
        inputs: The models that regularizers need.
        control: Asked between two steps.
        checkpointer: Saves the run when due, and before it stops; None to save nothing.

    Attributes:
        stack: The members' numbers.
        members: Those that still train.
    """

    def __init__(
        self,
        members: Sequence[Member],
        network: StackedNetwork,
        data: PreparedData,
        task: Task,
        *,
        inputs: Inputs = (),
        control: Control | None = None,
        checkpointer: Checkpointer | None = None,
    ) -> None:
        self.members = list(members)
        self.stack = Stack([member.plan for member in members], network, data, task, inputs=inputs)
        self._control = control or Control()
        self._checkpointer = checkpointer
        self._lead = members[0].plan
        self._progress = Progress(self._lead)

    @property
    def step(self) -> int:
        """Optimizer steps taken."""
        return self.stack.step

    def run(self) -> Iterator[EndedMembers]:
        """Train to the last epoch, or until no member is left; yield members as they end."""
        self._compile_if_wanted()
        try:
            yield from self._run()
        except _AllDivergedError:
            yield from self._end_diverged(range(len(self.members)))

    def _run(self) -> Iterator[EndedMembers]:
        training = self._lead.resolved_spec.training
        for epoch in range(self.step // self._lead.steps_per_epoch, training.epochs):
            yield from self._train_epoch(epoch)
            is_last = epoch + 1 == training.epochs
            is_due = is_last or (epoch + 1) % training.eval_every_epochs == 0
            # At the last epoch there is no training to save by stopping.
            rung = {} if is_last else self._rung(epoch + 1)
            if self.members and (is_due or rung):
                yield from self._evaluate(epoch + 1, rung, is_due=is_due)
            if not self.members:
                return
        yield self._end(range(len(self.members)))

    def state(self) -> State:
        """Everything needed to resume, except what follows from the specs and from `step`."""
        return {
            "tree": self.stack.tree,
            "keys": [member.key for member in self.members],
            "history": [member.history for member in self.members],
            "selected_epochs": [member.selected_epoch for member in self.members],
            "elapsed_s": self._progress.elapsed_s,
        }

    def resume(self, step: int, state: Mapping[str, Any]) -> None:
        """Resume from a state of the same members after this many steps."""
        self.stack = self.stack.resumed(step, state["tree"])
        for member, history, epoch in zip(self.members, state["history"], state["selected_epochs"], strict=True):
            member.history, member.selected_epoch = history, epoch
        self._progress.go_on(state["elapsed_s"])

    def select(self, positions: Sequence[int]) -> "Trainer":
        """A trainer with copies of some of the members, at the same step."""
        part = copy.copy(self)
        part.members = [self.members[position] for position in positions]
        part._lead = part.members[0].plan
        part.stack = self.stack.select(positions)
        part._compile_if_wanted()
        return part

    def _compile_if_wanted(self) -> None:
        if self._lead.resolved_spec.training.compile:
            self.stack.compile(self._tell)

    def _end(self, positions: Sequence[int], error: TrainingError | None = None) -> EndedMembers:
        """Take members out of the stack, with their selected weights or with an error."""
        members = [self.members[position] for position in positions]
        if self.step < self._lead.num_steps:  # otherwise it was reported just now
            progress = self._progress.record(self.step)
            for member in members:
                member.on_record(progress)
        network = None
        if error is None:
            ended = self if len(members) == len(self.members) else self.select(positions)
            network = ended._finished()
        rest = [position for position in range(len(self.members)) if position not in set(positions)]
        if rest:
            vars(self).update(vars(self.select(rest)))
        else:
            self.members = []
        return EndedMembers(members, network, error)

    def _train_epoch(self, epoch: int) -> Iterator[EndedMembers]:
        for position in range(self.step % self._lead.steps_per_epoch, self._lead.steps_per_epoch):
            self._stop_or_save(epoch)
            yield from self._let_leave(epoch)
            if not self.members:
                return
            with computing(f"step {self.step + 1}"):
                self.stack.advance(self.stack.rows(epoch, position))
            self._tell_progress()
        yield from self._end_diverged(self.stack.lost())

    def _stop_or_save(self, epoch: int) -> None:
        """Act on requests between two steps, when the state is consistent."""
        stop = self._control.should_stop()
        if self._checkpointer is not None and (stop or self._checkpointer.due()):
            self._check_objective()  # skip if every loss is non-finite
            self._checkpointer.save(self.step, epoch, self.state())
        if stop:
            self._tell_progress(at_once=True)
            remedy = "Train it again." if self._checkpointer is None else "Call train again with the same resume_from."
            raise TrainingStopped("training was stopped", remedy=remedy)

    def _let_leave(self, epoch: int) -> Iterator[EndedMembers]:
        """Save the members that are to leave, each separately, and take them out."""
        leaving = self._control.leaving()
        if not any(member.key in leaving for member in self.members):
            return
        # Diverged members end as diverged, and are not saved.
        yield from self._end_diverged([k for k in self.stack.lost() if self.members[k].key in leaving])
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

    def _rung(self, epoch: int) -> dict[str, str]:
        """The members with a rung at this epoch, and the metric that decides for each."""
        rungs = {member.key: self._control.rungs(member.key) for member in self.members}
        return {key: rung.metric for key, rung in rungs.items() if epoch in rung.epochs}

    def _evaluate(self, epoch: int, rung: Mapping[str, str], *, is_due: bool) -> Iterator[EndedMembers]:
        """Evaluate all members; end those that end here by their own specs, and then those that a rung stops.

        An evaluation that only a rung needs is neither recorded nor passed to early stopping: that would change the
        member's result.
        """
        asked = [{*member.watched, *([rung[member.key]] if member.key in rung else [])} for member in self.members]
        with computing(f"the evaluation after epoch {epoch}"):
            table = self.stack.measure(asked)
        measured = dict(zip([member.key for member in self.members], table, strict=True))
        if is_due:
            recorded = {member.key: member.recorded(measured[member.key]) for member in self.members}
            yield from self._take_note(epoch, recorded)
        values = {member.key: measured[member.key][rung[member.key]] for member in self.members if member.key in rung}
        if values:
            yield from self._judge(epoch, rung, values)

    def _take_note(self, epoch: int, measured: Mapping[str, Mapping[str, float]]) -> Iterator[EndedMembers]:
        """Record an evaluation that the specs ask for, and end members that have diverged or stop early."""
        for member in self.members:
            body = metrics_body(epoch, self.step, measured[member.key])
            record = Record("metrics", body)
            member.history.append({"seq": len(member.history) + 1, "at": record.at, **body})
            member.on_record(record)
        lost = [k for k, member in enumerate(self.members) if not math.isfinite(measured[member.key]["train/loss"])]
        yield from self._end_diverged(lost)
        if not self.members:
            return
        stopped = self._hear([measured[member.key] for member in self.members], epoch)
        if stopped:
            yield self._end(sorted(stopped))

    def _end_diverged(self, positions: Sequence[int]) -> Iterator[EndedMembers]:
        """End diverged members, each with its own error, because they diverged at different steps."""
        errors = {self.members[position].key: self._diverged(position) for position in positions}
        for key, error in errors.items():
            position = next(k for k, member in enumerate(self.members) if member.key == key)
            yield self._end([position], error)

    def _judge(self, epoch: int, rung: Mapping[str, str], values: Mapping[str, float]) -> Iterator[EndedMembers]:
        """Take out the members that do not continue, each with the value that decided."""
        fallen = self._control.judge(epoch, values)
        for key in [member.key for member in self.members if member.key in fallen]:
            (position,) = [k for k, member in enumerate(self.members) if member.key == key]
            error = TrainingHalved(
                f"others of its sweep were better after epoch {epoch}",
                details={"epoch": epoch, "metric": rung[key], **finite_or_null({"value": values[key]})},
            )
            yield self._end([position], error)

    def _hear(self, table: Sequence[Mapping[str, float]], epoch: int) -> frozenset[int]:
        """Update the epoch that each member selects.

        Returns:
            Places of the members that have stopped.
        """
        with computing(f"the evaluation after epoch {epoch}"):
            verdict = self.stack.hear(table)
        for position, member in enumerate(self.members):
            if verdict is None or position in verdict.keep:
                member.selected_epoch = epoch
        if verdict is None:
            return frozenset()
        for position, metric in verdict.undefined.items():
            self.members[position].on_record(_undefined(metric, epoch, self.step))
        return verdict.stop

    def _finished(self) -> StackedNetwork:
        """A network with each member's selected weights; one whose metric was never finite keeps its last weights."""
        selects = self.stack.selects
        chosen = [k for k, member in enumerate(self.members) if selects and member.selected_epoch]
        network = self.stack.finished(chosen)
        for member in self.members:
            member.selected_epoch = member.selected_epoch or member.history[-1]["epoch"]
        return network

    def _tell(self, record: Record) -> None:
        for member in self.members:
            member.on_record(record)

    def _tell_progress(self, *, at_once: bool = False) -> None:
        if not at_once and not self._progress.is_due(self.step):
            return
        self._progress.told()
        self._tell(self._progress.record(self.step))
        self._check_objective()  # do not finish a long epoch once all is lost

    def _check_objective(self) -> None:
        """Give up once every member has had a non-finite loss.

        A single diverged member stays until the epoch's end, so that the step at which it leaves does not depend on the
        clock.
        """
        if len(self.stack.lost()) == len(self.members):
            raise _AllDivergedError

    def _diverged(self, position: int) -> DivergedError:
        """Name the first step with a bad loss, or the last step if only the evaluation is bad.

        A step's loss is computed before its update, the evaluation after it.
        """
        member, bad = self.members[position], self.stack.first_bad_step(position)
        step, num_updates = (self.step, self.step) if bad is None else (bad, bad - 1)
        return diverged(member.plan, member.history, member.selected_epoch, step=step, num_updates=num_updates)


def _undefined(metric: str, epoch: int, step: int) -> Record:
    message = (
        f"{metric} has no value after epoch {epoch}. Such an evaluation is not counted towards patience, and its epoch "
        "is not kept; where none has a value, the last epoch is. Have validation targets differ, or watch another "
        "metric."
    )
    return Record("warning", {"code": "metric_undefined", "message": message, "step": step})


class _AllDivergedError(Exception):
    """No member has a finite loss any more."""
