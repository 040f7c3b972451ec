"""`train`: from a spec to a result; `train_many`: from specs to results, in as few passes as is fastest."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from regcore.data.source import Source, Sources
from regcore.data.tables.handed import HandedRows, handed_rows
from regcore.errors import ComputationError, FieldError, InvalidDataError, SpecError, TrainingError
from regcore.loop.computing import computing
from regcore.loop.control import Control
from regcore.loop.fitting import fitting_size
from regcore.loop.group import by_fusion_key, train_group
from regcore.loop.inputs import weights_file
from regcore.loop.newcomer import Checkpoints, Newcomer
from regcore.loop.result import Result
from regcore.models.own_module import OwnModuleModel
from regcore.own_state import own_state
from regcore.plan import Plan, make_plan
from regcore.record import Record
from regcore.spec import JobSpec, parse_spec
from regcore.spec.inputs import INIT_FROM, inputs_of

__all__ = ["Result", "train", "train_many"]

NO_INPUTS: Final[Mapping[str, Path | str]] = MappingProxyType({})


@own_state()
def train(
    spec: JobSpec | Mapping[str, Any],
    x: Any = None,
    y: Any = None,
    *,
    validation: Any = None,
    test: Any = None,
    module: Any = None,
    on_record: Callable[[Record], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    data_dir: Path | str | None = None,
    resume_from: Path | str | None = None,
    starting_weights: Path | str | None = None,
    inputs: Mapping[str, Path | str] = NO_INPUTS,
    max_checkpoint_bytes: int | None = None,
) -> Result:
    """Train one job spec, on the data that it names or on the rows that are handed in.

    Args:
        spec: A JobSpec, or the same as JSON. With rows handed in, `data` may be left out, or is of kind `arrays` and
            says how to read and split them.
        x: Rows of features, (N, columns): a NumPy array, a tensor, a data frame of pandas or polars, a list of rows or
            of dicts. Names of columns are kept; without names they are `column_1`, `column_2`, .... NaN and None are
            gaps.
        y: Their targets, (N,): labels of any type, or numbers. None if `data.target` names a column of x.
        validation: Validation rows as (x, y), instead of `data.validation_fraction`; without y rows like x.
        test: The same for test rows, instead of `data.test_fraction`.
        module: A `torch.nn.Module` to train, in place of a model of the spec, which may be left out or is of kind
            `module`. It takes a batch of rows, (B, *shape), and returns outputs, (B, num_outputs); with an attribute
            `takes_lengths` that is true it takes the rows' lengths too. Training begins with its weights, and works on
            a copy: `Result.model` is one.
        on_record: Called with progress, metrics, checkpoints and warnings as they happen. Like `should_stop`, it runs
            in the engine's state of torch: with gradients and in float32, whatever the caller has set.
        should_stop: Called before every step; true ends the run with a checkpoint and TrainingStopped. An exception
            ends the run without a checkpoint.
        data_dir: Where torchvision data sets lie, and in `weights` the files of pretrained weights.
        resume_from: A directory of this run's checkpoints. Training resumes from the newest complete one, or starts if
            there is none, and saves its own there every `training.checkpoint_every_s`. So repeating the call, whatever
            ended the last one, gives the result of an uninterrupted run, to the bit.
        starting_weights: The `model.safetensors` of the job that `init_from` names. With the `model.json` beside it the
            weights are adapted to this run's scaling of features and targets; without it they are used unchanged.
        inputs: The models of the other jobs that the spec names, by the regularizer's name in the plan and its field,
            as `knowledge_distillation.teacher`: each a folder with `model.safetensors` and `model.json`.
        max_checkpoint_bytes: The most that the checkpoints may take on disk.

    Raises:
        SpecError: The spec cannot be trained; nothing was computed.
        TrainingError: The run ended without a result: diverged, invalid data, out of memory, stopped, or a checkpoint
            of another run.
    """
    sources = Sources(data_dir, _handed(spec, x, y, validation, test))
    spec = spec if x is None else _with_data(spec)
    plan = make_plan(spec if module is None else _with_module(spec, module), facts_of=sources.facts)
    given = {**inputs, **({INIT_FROM: starting_weights} if starting_weights else {})}
    _check_inputs(plan, given)
    files = {name: weights_file(path) for name, path in given.items()}
    own_folder = Path(data_dir) if data_dir else None
    newcomer = Newcomer("0", plan, on_record or (lambda record: None), files, own_folder)
    ((_, outcome),) = train_group(
        [newcomer],
        control=_Stopping(should_stop),
        source=sources.of(plan.resolved_spec.data),
        checkpoints=None if resume_from is None else Checkpoints(Path(resume_from), max_checkpoint_bytes),
    )
    if isinstance(outcome, TrainingError):
        raise outcome
    return outcome


@own_state()
def train_many(
    specs: Sequence[JobSpec | Mapping[str, Any]],
    *,
    on_record: Callable[[int, Record], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    data_dir: Path | str | None = None,
) -> list[Result | TrainingError]:
    """Train many job specs; compatible ones in one pass if that is faster.

    Each result equals that of a run alone, except for the rounding of sums: see `docs/fusion.md`.

    Args:
        specs: JobSpecs, or the same as JSON.
        on_record: Called with a spec's place in the list and its record.
        should_stop: As for `train`; it stops all of them.
        data_dir: Where torchvision data sets lie.

    Returns:
        For each spec its result, or the error that ended it alone, such as DivergedError.

    Raises:
        SpecError: A spec cannot be trained; nothing was computed. Its errors point into the list.
        TrainingError: A whole pass ended: invalid data, out of memory, stopped.
    """
    sources = Sources(data_dir)
    plans = _plan_all(specs, sources)
    tell = on_record or (lambda position, record: None)
    own_folder = Path(data_dir) if data_dir else None

    def recorder(position: int) -> Callable[[Record], None]:
        return lambda record: tell(position, record)

    newcomers = {
        str(position): Newcomer(str(position), plan, recorder(position), data_dir=own_folder)
        for position, plan in enumerate(plans)
    }
    ended: dict[str, Result | TrainingError] = {}
    for keys in by_fusion_key({key: newcomer.plan for key, newcomer in newcomers.items()}):
        lead = newcomers[keys[0]].plan
        source = sources.of(lead.resolved_spec.data)  # the same for all that train in one pass
        size = _fitting_size(lead, len(keys), source)
        for start in range(0, len(keys), size):
            group = [newcomers[key] for key in keys[start : start + size]]
            ended |= _train_pass(group, _Stopping(should_stop), source)
    return [ended[key] for key in newcomers]


def _fitting_size(plan: Plan, num_members: int, source: Source) -> int:
    """How many to train together; 1 if timing fails, so that a faulty member fails alone."""
    try:
        with computing("timing a step"):
            return fitting_size(plan, num_members, source=source)
    except ComputationError:
        return 1


def _train_pass(group: Sequence[Newcomer], control: Control, source: Source) -> dict[str, Result | TrainingError]:
    """The outcome of each member; if the pass fails at one of them, the remaining ones train alone."""
    ended: dict[str, Result | TrainingError] = {}
    try:
        for key, outcome in train_group(group, control=control, source=source):
            ended[key] = outcome
    except ComputationError as error:
        if len(group) == 1:
            return {group[0].key: error}
        for newcomer in group:
            if newcomer.key not in ended:
                ended |= _train_pass([newcomer], control, source)
    return ended


def _handed(spec: JobSpec | Mapping[str, Any], x: Any, y: Any, validation: Any, test: Any) -> HandedRows | None:
    if x is not None:
        return handed_rows(x, y, validation=validation, test=test, features=_features_of(spec))
    if any(given is not None for given in (y, validation, test)):
        raise InvalidDataError("y, validation and test need x too", remedy="Call train(spec, x, y).")
    return None


def _features_of(spec: JobSpec | Mapping[str, Any]) -> Any:
    """What the spec says of handed rows; it is checked only once they are read."""
    data = spec.data if isinstance(spec, JobSpec) else spec.get("data")
    return data.get("features") if isinstance(data, Mapping) else getattr(data, "features", None)


def _with_data(spec: JobSpec | Mapping[str, Any]) -> JobSpec | Mapping[str, Any]:
    """The spec of handed rows, whose `data` may be left out."""
    if isinstance(spec, JobSpec) or "data" in spec:
        return spec
    return {**spec, "data": {"kind": "arrays"}}


def _with_module(spec: JobSpec | Mapping[str, Any], net: Any) -> JobSpec:
    """The spec of a module, whose `model` may be left out. Raises SpecError if it names another, or it is unfit."""
    parsed = parse_spec(spec if isinstance(spec, JobSpec) or "model" in spec else {**spec, "model": {"kind": "module"}})
    if parsed.model.kind != "module":
        message = f"a module was handed in, and model.kind {parsed.model.kind} is another one. Leave model out."
        raise SpecError([FieldError("/model/kind", "unknown_kind", message)])
    try:
        return parsed.model_copy(update={"model": OwnModuleModel.of(net)})
    except ValueError as error:
        raise SpecError([FieldError("/model", "invalid_model", f"{error}.")]) from error


class _Stopping(Control):
    """Control by a user's function."""

    def __init__(self, should_stop: Callable[[], bool] | None) -> None:
        self._should_stop = should_stop

    def should_stop(self) -> bool:
        return self._should_stop is not None and self._should_stop()


def _plan_all(specs: Sequence[JobSpec | Mapping[str, Any]], sources: Sources) -> list[Plan]:
    """Every spec's plan. Raises SpecError with the errors of all wrong specs."""
    plans, errors = [], []
    for position, spec in enumerate(specs):
        try:
            plans.append(make_plan(spec, facts_of=sources.facts))
            _check_inputs(plans[-1], NO_INPUTS)
        except SpecError as error:
            errors += [FieldError(f"/{position}{e.pointer}", e.code, e.message) for e in error.errors]
    if errors:
        raise SpecError(errors)
    return plans


def _check_inputs(plan: Plan, given: Mapping[str, Path | str]) -> None:
    """Refuse a spec whose other jobs' models are not given, and models that it does not name."""
    errors = []
    for one in inputs_of(plan.resolved_spec):
        if one.name not in given:
            how = "starting_weights=path" if one.only_to_begin else f'inputs={{"{one.name}": folder}}'
            message = (
                f"{one.name} names a job of a server; without one, download its model.safetensors and model.json into "
                f"one folder and call train(spec, {how})."
            )
            errors.append(FieldError(one.pointer, "cannot_apply", message))
    if errors:
        raise SpecError(errors)
    unknown = given.keys() - plan.inputs.keys() - {INIT_FROM}
    if unknown:
        named = ", ".join(plan.inputs) or "none"
        message = f"inputs has {', '.join(sorted(unknown))}; the models of other jobs that the spec names are {named}"
        raise InvalidDataError(message, remedy="Leave it out, or correct its name.")
