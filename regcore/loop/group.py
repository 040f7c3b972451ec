"""One training pass: compatible members, from their data to their results."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from regcore.data.prepared import PreparedData, dtype_of
from regcore.data.source import KnownSource, Source
from regcore.errors import ComputationError, OutOfMemoryError, TrainingError
from regcore.loop.baseline import baseline_of
from regcore.loop.checkpointer import Checkpointer
from regcore.loop.computing import computing, is_out_of_memory
from regcore.loop.conclude import conclude
from regcore.loop.control import Control
from regcore.loop.effects import Inputs
from regcore.loop.first import train_first
from regcore.loop.inputs import load_inputs
from regcore.loop.machine import choose_device, num_threads, rows_device
from regcore.loop.member import Member
from regcore.loop.network import StackedNetwork
from regcore.loop.newcomer import Checkpoints, Newcomer
from regcore.loop.planned_rows import check_rows, task_of
from regcore.loop.pretrained import file_sha256, find_weights, load_weights
from regcore.loop.rescaling import hush_unlearned, keep_predictions
from regcore.loop.result import Result
from regcore.loop.resuming import check_members, checkpointer_of, saved_state
from regcore.loop.starting_weights import describe_starting_weights, load_starting_weights
from regcore.loop.trainer import Trainer
from regcore.own_state import each_in_own_state
from regcore.plan import Plan
from regcore.record import Record
from regcore.spec.inputs import INIT_FROM
from regcore.tasks import Task

Ended = tuple[str, Result | TrainingError]

__all__ = ["Checkpoints", "Newcomer", "by_fusion_key", "gather_inputs", "train_group"]


def train_group(
    newcomers: Sequence[Newcomer],
    *,
    control: Control | None = None,
    source: Source | None = None,
    checkpoints: Checkpoints | None = None,
    companions: Sequence[str] | None = None,
) -> Iterator[Ended]:
    """Train compatible members in one pass, and yield each one's result or error as soon as it ends.

    Args:
        newcomers: The members: all have the same `fusion_key`, or there is only one.
        control: Asked between two steps.
        source: Where their rows come from; None for the built-in sets.
        checkpoints: Where to save the pass and resume it from; None to save nothing.
        companions: Keys of all members that the pass began with, if there were more than these.

    Raises:
        TrainingError: The whole pass ended: invalid data, out of memory, stopped, or a checkpoint of another run.
    """
    lead = newcomers[0].plan
    ended = _train(newcomers, control or Control(), source or KnownSource(), checkpoints, companions)
    try:
        for together in each_in_own_state(ended, num_threads(lead, len(newcomers), checkpoints)):
            yield from together
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            f"memory ran out while training {len(newcomers) * lead.num_parameters:,} parameters: {error}",
            remedy="Lower training.batch_size or the model's width.",
        ) from error


def _train(
    newcomers: Sequence[Newcomer],
    control: Control,
    source: Source,
    checkpoints: Checkpoints | None,
    companions: Sequence[str] | None,
) -> Iterator[list[Ended]]:
    """Yield the members that end together."""
    lead = newcomers[0].plan
    data = source.prepare(lead.resolved_spec, device=rows_device(lead))
    check_rows(lead, data)
    for newcomer in newcomers:
        _tell_doubts(newcomer, data)
    task = task_of(lead, data)
    trainer, checkpointer = _set_up(newcomers, control, data, task, source, checkpoints)
    everybody = companions if companions is not None else [newcomer.key for newcomer in newcomers]
    baseline = _once(partial(baseline_of, data=data, task=task))
    for ending in trainer.run():
        if ending.network is None:
            assert ending.error is not None, "a member without weights has an error"
            yield [(member.key, ending.error) for member in ending.members]
            continue
        is_exact = checkpointer is None or checkpointer.is_exact
        report = partial(conclude, data=data, task=task, is_exact=is_exact, baseline=baseline, companions=everybody)
        results = _conclude_each(ending.members, ending.network, report)
        for member, result in zip(ending.members, results, strict=True):
            _warn_of_missing_values(member, result)
        yield [(member.key, result) for member, result in zip(ending.members, results, strict=True)]


def gather_inputs(
    newcomers: Sequence[Newcomer],
    data: PreparedData,
    network: StackedNetwork,
    source: Source,
    control: Control,
    checkpoints: Checkpoints | None = None,
) -> Inputs:
    """The models that each member's regularizers need: those of other jobs, and those that are trained first.

    Raises:
        InvalidDataError: One cannot be had, or does not fit.
        TrainingStopped: The pass was stopped while one was trained.
    """
    with ExitStack() as until_loaded:
        ready = train_first(newcomers, data, source, control, checkpoints, _train_one, until_loaded)
        return load_inputs(ready, data, network)


def _train_one(newcomer: Newcomer, control: Control, source: Source, checkpoints: Checkpoints | None) -> Result:
    """The result of one member alone. Raises TrainingError if there is none."""
    ((_, outcome),) = train_group([newcomer], control=control, source=source, checkpoints=checkpoints)
    if isinstance(outcome, TrainingError):
        raise outcome
    return outcome


def _once(
    make: Callable[[StackedNetwork], Mapping[str, Any] | None],
) -> Callable[[StackedNetwork], Mapping[str, Any] | None]:
    """What is made for the first members that end serves all: it depends on the data alone."""
    made: list[Mapping[str, Any] | None] = []

    def known(network: StackedNetwork) -> Mapping[str, Any] | None:
        if not made:
            made.append(make(network))
        return made[0]

    return known


def _tell_doubts(newcomer: Newcomer, data: PreparedData) -> None:
    """Warn of what the rows show."""
    for doubt in data.doubts:
        body = {"code": doubt.code, "pointer": doubt.pointer, "message": doubt.message, "remedy": doubt.remedy}
        newcomer.on_record(Record("warning", {**body, "patch": list(doubt.patch)}))


def _warn_of_missing_values(member: Member, result: Result | TrainingError) -> None:
    missing = [] if isinstance(result, TrainingError) else [n for n, value in result.metrics.items() if value is None]
    if missing:
        message = (
            f"The trained network has no finite {', '.join(missing)}: see its data, and the loss that it came from."
        )
        member.on_record(Record("warning", {"code": "metric_not_finite", "message": message}))


def _conclude_each(
    members: Sequence[Member], network: StackedNetwork, conclude: Callable[..., list[Result]]
) -> list[Result | TrainingError]:
    """The result of each member. If that fails for all together, each is tried alone: one failure costs one result."""
    try:
        with computing("the report of the trained network"):
            return list(conclude(members, network))
    except ComputationError as error:
        if len(members) == 1:
            return [error]
    alone = [_conclude_each([member], network.select([k]), conclude) for k, member in enumerate(members)]
    return [outcome for (outcome,) in alone]


def _set_up(
    newcomers: Sequence[Newcomer],
    control: Control,
    data: PreparedData,
    task: Task,
    source: Source,
    checkpoints: Checkpoints | None,
) -> tuple[Trainer, Checkpointer | None]:
    """A trainer at its first step, or at the step of its checkpoint."""
    by_key = {newcomer.key: newcomer for newcomer in newcomers}
    saved_keys = checkpoints.saved_keys if checkpoints is not None else None
    if saved_keys is not None:
        check_members(list(by_key), saved_keys)
    keys = [key for key in saved_keys or by_key if key in by_key]
    members = [Member(key, by_key[key].plan, by_key[key].on_record) for key in keys]
    network = StackedNetwork(
        [member.plan for member in members],
        dtype=dtype_of(newcomers[0].plan.resolved_spec),
        device=choose_device(newcomers[0].plan.resolved_spec.resources.device),
        autocast=newcomers[0].plan.resolved_spec.training.precision == "bfloat16",
    )
    hush_unlearned(members[0].plan, data, network)
    is_fresh = checkpoints is None or checkpoints.newest.state is None
    begun_with = _begin([by_key[key] for key in keys], data, network, is_fresh=is_fresh)

    def tell(record: Record) -> None:
        for member in trainer.members:
            member.on_record(record)

    checkpointer = None
    if checkpoints is not None:
        checkpointer = checkpointer_of(newcomers, network, data, checkpoints, control, tell, begun_with)
    inputs = gather_inputs([by_key[key] for key in keys], data, network, source, control, checkpoints)
    trainer = Trainer(members, network, data, task, inputs=inputs, control=control, checkpointer=checkpointer)
    if checkpoints is None or checkpoints.newest.state is None:
        return trainer, checkpointer
    saved = checkpoints.newest.state["trainer"]
    positions = [position for position, key in enumerate(saved["keys"]) if key in by_key]
    trainer.resume(checkpoints.newest.step, saved_state(saved, positions))
    checkpoints.forget()
    tell(Record("log", {"message": f"going on from the checkpoint of step {trainer.step}"}))
    return trainer, checkpointer


def _begin(
    newcomers: Sequence[Newcomer], data: PreparedData, network: StackedNetwork, *, is_fresh: bool
) -> dict[str, str]:
    """Put what is not drawn into the network, unless a checkpoint has it.

    Returns:
        By key, a digest of what a member begins with that its spec does not hold: pretrained weights, or a module.
    """
    digests: dict[str, str] = {}
    for position, newcomer in enumerate(newcomers):
        spec = newcomer.plan.resolved_spec
        weights = find_weights(spec, newcomer.data_dir)
        digest = spec.model.signature if weights is None else file_sha256(weights)
        if digest is not None:
            digests[newcomer.key] = digest
        # Before the trainer is made: averages of weights begin with these.
        if is_fresh and weights is not None:
            newcomer.on_record(load_weights(weights, spec, network, position))
        if is_fresh and (INIT_FROM in newcomer.inputs or spec.init_from is not None):
            _take_up(newcomer, data, network, position)
    return digests


def _take_up(newcomer: Newcomer, data: PreparedData, network: StackedNetwork, position: int) -> None:
    """Put a member's starting weights into the network."""
    weights = newcomer.inputs.get(INIT_FROM)
    load_starting_weights(weights, network, position)
    assert weights is not None, "without them it has been refused"
    described = describe_starting_weights(weights)
    warning = keep_predictions(described, newcomer.plan, data, network, position)
    if warning is not None:
        newcomer.on_record(warning)


def by_fusion_key(plans: Mapping[str, Plan]) -> list[list[str]]:
    """Groups of plans that may train in one pass, in the order of their first members."""
    groups: dict[str, list[str]] = {}
    for key, plan in plans.items():
        groups.setdefault(plan.fusion_key or f"alone:{key}", []).append(key)
    return list(groups.values())
