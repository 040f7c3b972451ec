"""K members as numbers: their tensors, the optimizer's state, the losses of each step. It does not know of jobs.

All that a run remembers is one tree of tensors (K, ...), which is selected, saved and restored as a whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from regcore.at import At
from regcore.data.order import Order
from regcore.data.prepared import PreparedData
from regcore.layers import walk_all
from regcore.loop.effects import Inputs, bind_effects
from regcore.loop.evaluate import evaluate, measure, needs_all
from regcore.loop.network import StackedNetwork
from regcore.loop.step import Step
from regcore.plan import Plan
from regcore.record import Record
from regcore.regularizers import EpochChoice
from regcore.tasks import Task
from regcore.trees import Tree, copied, put_, select


class Stack:
    """The computations of a training pass.

    Args:
        plans: One per member; they agree in everything but numbers.
        network: Their stacked tensors, updated in place.
        data: The splits that all members share.
        task: What outputs mean.
        inputs: The models that regularizers need. None leaves these regularizers out, which only timing may do: before
            a run starts they are not there, and they cost a member the same in a stack of any size.
        tree: What another stack of these members remembered, `tree`; None to begin.
        step: Optimizer steps taken.

    Attributes:
        tree: `tensors`, the optimizer's `update`, the regularizers' `effects`, `kept` tensors of selected evaluations,
            and the `objective` of each step of this epoch, a mean over its rows: each (K, ...).
        step: Optimizer steps taken.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
        network: StackedNetwork,
        data: PreparedData,
        task: Task,
        *,
        inputs: Inputs | None = (),
        tree: Tree | None = None,
        step: int = 0,
    ) -> None:
        self.network = network
        self.data = data
        self.task = task
        self.step = step
        self._plans = plans
        self._lead = plans[0]
        self._inputs = inputs
        optimizers: list[Any] = [plan.resolved_spec.optimizer for plan in plans]
        self._update = type(optimizers[0]).bind(optimizers)
        self._effects = bind_effects(plans, network, task, inputs, data.preprocessing)
        self.tree = self._begin() if tree is None else self._tie(tree)
        self._learned = network.learned()
        batch_size, training = self._lead.batch_size, self._lead.resolved_spec.training
        self._step = Step(network, task, data.train, self._update, list(self._effects.values()), batch_size)
        self._columns: dict[str, Sequence[Tensor]] = {}
        self._order = Order(data.train, batch_size * training.grad_accumulation)

    def _begin(self) -> Tree:
        network = self.network
        for effect in self._effects.values():
            network.add(effect.adds(network.tensors))
        num_steps = self._lead.steps_per_epoch
        zeros = torch.zeros(network.num_members, num_steps, dtype=torch.float64, device=network.device)
        return self._tie(
            {
                "update": self._update.start(network.learned()),
                "effects": {name: effect.start(network.tensors) for name, effect in self._effects.items()},
                "kept": {},
                "objective": {"data": zeros},
            }
        )

    def _tie(self, tree: Tree) -> Tree:
        """Let the optimizer and the regularizers work on the tree's tensors."""
        of: Any = tree
        self._update.state = of["update"]
        for name, effect in self._effects.items():
            effect.state = of["effects"][name]
        return {**tree, "tensors": dict(self.network.tensors)}

    def compile(self, on_record: Callable[[Record], None]) -> None:
        """Compile forward and backward from now on; a warning says so if that fails, or cannot be."""
        random = [label for label, layer, _ in walk_all(self._lead.layers, self.network.row) if layer.is_random]
        if random:
            message = (
                f"training.compile does not reach layers that draw random numbers, such as {random[-1]}: training goes "
                "on without it"
            )
            on_record(Record("warning", {"code": "compile_failed", "message": message}))
            return
        self._step.compile(on_record)

    def select(self, positions: Sequence[int]) -> Stack:
        """A copy with some of the members, at the same step."""
        tree: Any = select(self.tree, positions)
        plans = [self._plans[position] for position in positions]
        return Stack(
            plans,
            self.network.having(tree["tensors"], plans),
            self.data,
            self.task,
            inputs=[self._inputs[position] for position in positions] if self._inputs else (),
            tree=tree,
            step=self.step,
        )

    def resumed(self, step: int, tree: Tree) -> Stack:
        """The same members after this many steps, as they were saved."""
        own: Any = copied(tree, self.network.device)
        return Stack(
            self._plans,
            self.network.having(own["tensors"]),
            self.data,
            self.task,
            inputs=self._inputs,
            tree=own,
            step=step,
        )

    def first_steps(self) -> Iterator[None]:
        """Take one step for each item, without end, for timing."""
        for position in itertools.cycle(range(self._lead.steps_per_epoch)):
            self.advance(self.rows(0, position))
            yield

    def rows(self, epoch: int, position: int) -> Tensor:
        """Row numbers of one step, (K, B): every member has its own order."""
        return self._order.rows(self.network.seeds, epoch, position)

    def advance(self, rows: Tensor) -> None:
        """Take one step over these rows, (K, B)."""
        at = self._at(self.step)
        losses = self._step.advance(self._learned, rows, at)
        self._note(losses, at)
        self.step += 1

    def _note(self, losses: Mapping[str, Tensor], at: At) -> None:
        """Remember a step's losses by its place in the epoch, so that the first bad one can be found."""
        place = at.step % self._lead.steps_per_epoch
        for name, values in losses.items():
            if name not in self._columns:
                steps = self._objective.setdefault(name, torch.zeros_like(self._objective["data"]))
                self._columns[name] = steps.unbind(1)
            if place == 0:
                self._objective[name].zero_()
            self._columns[name][place].copy_(values)

    @property
    def _objective(self) -> dict[str, Tensor]:
        of: Any = self.tree["objective"]
        objective: dict[str, Tensor] = of
        return objective

    def lost(self) -> list[int]:
        """Places of the members that had a non-finite loss in this epoch."""
        found: list[int] = (~torch.isfinite(self._objective["data"]).all(1)).nonzero().flatten().tolist()
        return found

    def first_bad_step(self, position: int) -> int | None:
        """The first step of this epoch with a non-finite loss, counted from 1; None if there is none."""
        bad = (~torch.isfinite(self._objective["data"][position])).nonzero()
        if not len(bad):
            return None
        return (self.step - 1) // self._lead.steps_per_epoch * self._lead.steps_per_epoch + int(bad[0]) + 1

    @torch.no_grad()
    def deployed(self) -> StackedNetwork:
        """The network as it would be finished now: averaged, reparametrized, without noise."""
        acting = self._step.chain("weights")
        if not acting:
            return self.network
        at, tensors = self._at(max(0, self.step - 1), training=False), self.network.tensors
        found: Mapping[str, Tensor] = tensors
        for effect in acting:
            found = effect.weights(found, at)
        return self.network.having({name: found[name].detach() for name in self.network.infos})

    @torch.no_grad()
    def measure(self, also: Sequence[Collection[str]] | None = None) -> list[dict[str, float]]:
        """Each member's metrics on every split, in evaluation mode, and its objective in the last step.

        Args:
            also: For each member further metrics, such as `validation/auroc`.
        """
        network = self.deployed()
        table = self._measure_objective(network, self._at(self.step - 1))
        for name in ("train", "validation", "test"):
            split = getattr(self.data, name)
            if split is None:
                continue
            asked = [
                sorted(metric.removeprefix(f"{name}/") for metric in names if metric.startswith(f"{name}/"))
                for names in also or ()
            ]
            evaluation = evaluate(network, split, self.task, is_final=needs_all(self.task, asked))
            measured = measure(evaluation, self.task, asked)
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
        verdicts = [effect.on_evaluation(table) for effect in self._step.chain("on_evaluation")]
        if not verdicts:
            return None
        heard = EpochChoice(
            keep=frozenset().union(*(verdict.keep for verdict in verdicts)),
            stop=frozenset().union(*(verdict.stop for verdict in verdicts)),
            undefined={k: metric for verdict in verdicts for k, metric in verdict.undefined.items()},
        )
        if heard.keep:
            self._keep(sorted(heard.keep))
        return heard

    @property
    def selects(self) -> bool:
        """Whether an effect selects among evaluations."""
        return bool(self._step.chain("on_evaluation"))

    @torch.no_grad()
    def finished(self, positions: Sequence[int]) -> StackedNetwork:
        """The finished network; these members have the tensors that were last remembered for each."""
        network = self.deployed()
        model = {name: network.tensors[name].detach() for name in network.infos}
        if positions:
            model = {name: tensor.clone() for name, tensor in model.items()}
            put_(model, self._kept, positions)
        return network.having(model)

    @property
    def _kept(self) -> dict[str, Tensor]:
        of: Any = self.tree["kept"]
        kept: dict[str, Tensor] = of
        return kept

    @torch.no_grad()
    def _keep(self, positions: Sequence[int]) -> None:
        network, kept = self.deployed(), self._kept
        for name in network.infos:
            kept.setdefault(name, torch.zeros_like(network.tensors[name].detach()))
        put_(kept, network.tensors, positions)

    def _measure_objective(self, network: StackedNetwork, at: At) -> list[dict[str, float]]:
        """The objective, each penalty by its name, the learning rate and the zeros."""
        num_rows = self._rows_of_steps()
        columns = {
            "objective/data" if name == "data" else f"objective/penalty.{name}": (means * num_rows).sum(1)
            / num_rows.sum()
            for name, means in self._objective.items()
        }
        for name, effect in self._effects.items():
            penalty = effect.penalty(self.network.tensors, at)
            if penalty is not None:
                columns[f"objective/penalty.{name}"] = penalty.double()
        columns["objective/total"] = torch.stack(list(columns.values())).sum(0)
        matrices = [network.tensors[n] for n, info in network.infos.items() if info.is_learned and len(info.shape) > 1]
        columns["num_zeros"] = sum(
            ((weight == 0).flatten(1).sum(1).double() for weight in matrices),
            torch.zeros_like(columns["objective/data"]),
        )
        columns["sparsity"] = columns["num_zeros"] / max(1, sum(weight[0].numel() for weight in matrices))
        table = torch.stack([column.detach() for column in columns.values()]).T.tolist()
        named = [dict(zip(columns, row, strict=True)) for row in table]
        for values, rate in zip(named, self._update.rates(at), strict=True):
            values["learning_rate"] = rate
        return named

    def _rows_of_steps(self) -> Tensor:
        """How many rows each step of an epoch has: the last may have fewer."""
        total, size = len(self.data.train), self._order.size
        rows = [min(size, total - first) for first in range(0, total, size)]
        return torch.tensor(rows, dtype=torch.float64, device=self.network.device)

    def _at(self, step: int, *, training: bool = True) -> At:
        return At(step, self._lead.steps_per_epoch, self._lead.num_steps, self.network.seeds, training)
