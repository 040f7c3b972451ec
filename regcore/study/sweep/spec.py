"""The sweep spec: a base, what varies, with which seeds, how it is searched and by what it is judged."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, model_validator

from regcore.errors import FieldError, SpecError
from regcore.frozen import Frozen
from regcore.spec.hints import suggest
from regcore.spec.job import JobName, Labels
from regcore.spec.kinds import METRICS
from regcore.spec.patch import AnyJson, Patch, Pointer
from regcore.spec.validation import parse_as

Seed = Annotated[int, Field(ge=0, lt=2**63)]
VariantName = Annotated[str, StringConstraints(pattern=r"^\S(.{0,98}\S)?$")]

RESERVED: Final = ("/training/seed", "/data/split_seed")
"""Pointers that `seeds` and `vary_split` set."""
_KNOWN_METRICS: Final = [f"{split}/{name}" for split in ("validation", "train") for name in METRICS]


class Range(Frozen):
    """Numbers from `low` to `high`, both included."""

    kind: Literal["log", "linear"]
    """`log`: in equal ratios. `linear`: in equal steps."""
    low: float
    high: float
    """Above `low`."""
    num_points: Annotated[int, Field(ge=2, le=10_000)] | None = None
    """How many; required except for `random`, which draws from the whole range."""

    @model_validator(mode="after")
    def _check(self) -> "Range":
        if self.low >= self.high:
            raise ValueError(f"low must be below high; received {self.low:g} and {self.high:g}. Exchange them")
        if self.kind == "log" and self.low <= 0:
            raise ValueError(f"low of a log range must be above 0; received {self.low:g}. Or use kind linear")
        return self


class Axis(Frozen):
    """One place of the spec, and the values to try there: `values` or a `range`."""

    pointer: Pointer
    """JSON Pointer into the base's `resolved_spec`; `-` at its end is the place after a list's last item."""
    values: Annotated[list[AnyJson], Field(min_length=1, max_length=10_000)] | None = None
    """Any JSON, each once: 1 and 1.0 are one value. null removes what is there, if anything is."""
    range: Range | None = None
    """Numbers; rounded if the field takes only whole numbers."""

    @model_validator(mode="after")
    def _check(self) -> "Axis":
        if (self.values is None) == (self.range is None):
            given = "neither" if self.values is None else "both"
            raise ValueError(f"exactly one of values and range must be given; received {given}. Keep one")
        return self


class Variant(Frozen):
    """A way to train. Each is tuned by itself, and compared with the others at its best."""

    name: VariantName
    patch: Patch = Field(default=[])
    """JSON Patch (RFC 6902) of the base's `resolved_spec`."""
    axes: list[Axis] = Field(default=[], max_length=16)
    """Axes of this variant only, in addition to the sweep's; an axis of the same pointer replaces the sweep's."""


class Grid(Frozen):
    """Every combination of the axes."""

    kind: Literal["grid"] = "grid"


class Random(Frozen):
    """Combinations drawn at random: evenly from values, evenly or log-evenly from ranges.

    Source: Bergstra & Bengio 2012, Random Search for Hyper-Parameter Optimization.
    """

    kind: Literal["random"]
    num_trials: int = Field(ge=1, le=10_000)
    """Combinations for each variant."""
    seed: Seed = 0
    """The same seed draws the same combinations."""


class Halving(Frozen):
    """Every combination begins; at epochs `min_epochs`, `min_epochs · eta`, … the best one in `eta` continues.

    Each is compared with those of its own variant that came that far before it; of equals the first continues.

    Source: Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning (ASHA).
    """

    kind: Literal["halving"]
    eta: int = Field(default=3, ge=2, le=100)
    """One combination in `eta` continues."""
    min_epochs: int = Field(default=1, ge=1)
    """Epochs before the first decision; fewer than the epochs of every member."""


class Ablation(Frozen):
    """The base, and the base without each of its regularizers."""

    kind: Literal["ablation"]


Strategy = Annotated[Grid | Random | Halving | Ablation, Field(discriminator="kind")]


class Objective(Frozen):
    """The metric by which the best combination is chosen."""

    metric: str = "validation/loss"
    """A metric of the validation or train split; the test split is for the final comparison.

    All members must have it, of one data set and in one unit: a loss of one kind, with the same class weights.
    """
    mode: Literal["min", "max"] | None = None
    """Which way is better; null for the metric's usual one."""


class SweepSpec(Frozen):
    """Many jobs that vary one base. Only `base` is required."""

    name: JobName | None = None
    """For people."""
    labels: Labels = Field(default={})
    """Labels of the sweep; its members have those of the base."""
    base: dict[str, Any]
    """A job spec: what all members have in common."""
    axes: list[Axis] = Field(default=[], max_length=16)
    """What varies in every variant."""
    variants: list[Variant] = Field(default=[], max_length=100)
    """Ways to train to compare; empty for the base alone."""
    seeds: list[Seed] = Field(default=[0, 1, 2], min_length=1, max_length=1000)
    """Each combination is trained once with each seed, as its `training.seed`."""
    vary_split: bool = False
    """Whether each seed also draws its own splits, as `data.split_seed`."""
    strategy: Strategy = Grid()
    objective: Objective = Objective()

    @property
    def metric(self) -> str:
        """The metric of the objective."""
        return self.objective.metric

    @property
    def mode(self) -> Literal["min", "max"]:
        """Which way that is better."""
        assert self.objective.mode is not None, "parse_sweep fills it in"
        return self.objective.mode

    @property
    def path_axis(self) -> Axis | None:
        """The only axis, if it is numeric and nothing else varies."""
        if len(self.axes) != 1 or self.variants or self.strategy.kind == "ablation":
            return None
        axis = self.axes[0]
        return axis if axis.range or all(map(_is_number, axis.values or ())) else None


def parse_sweep(body: Any) -> SweepSpec:
    """A sweep's spec from JSON, with its objective's mode filled in.

    Raises:
        SpecError: The spec is wrong, apart from its base and its members; every place is named.
    """
    spec = parse_as(SweepSpec, body)
    errors = [
        *_doubled("/seeds", spec.seeds),
        *_doubled("/variants", [variant.name for variant in spec.variants], field="/name"),
        *_axis_errors(spec),
        *_strategy_errors(spec),
        *_objective_errors(spec.objective),
    ]
    if errors:
        raise SpecError(errors)
    return spec.model_copy(update={"objective": _with_mode(spec.objective)})


def _doubled(pointer: str, values: list[Any], field: str = "") -> list[FieldError]:
    return [
        FieldError(f"{pointer}/{place}{field}", "doubled", f"{value!r} is given twice. Remove one, or change it.")
        for place, value in enumerate(values)
        if value in values[:place]
    ]


def _axis_errors(spec: SweepSpec) -> list[FieldError]:
    errors = []
    places = [("", spec.axes), *((f"/variants/{k}", variant.axes) for k, variant in enumerate(spec.variants))]
    for at, axes in places:
        errors += _doubled(f"{at}/axes", [axis.pointer for axis in axes], field="/pointer")
        for place, axis in enumerate(axes):
            here = f"{at}/axes/{place}"
            if axis.pointer in RESERVED:
                message = f"{axis.pointer} is set by seeds and vary_split. Use these, and remove the axis."
                errors.append(FieldError(f"{here}/pointer", "reserved", message))
            if axis.range and axis.range.num_points is None and spec.strategy.kind != "random":
                message = f"num_points is required with strategy {spec.strategy.kind}. Say how many values to try."
                errors.append(FieldError(f"{here}/range/num_points", "missing_field", message))
    return errors


def _strategy_errors(spec: SweepSpec) -> list[FieldError]:
    if spec.strategy.kind == "ablation":
        remedy = "An ablation varies the base's regularizers and nothing else. Remove them, or use another strategy."
        taken = [("/axes", spec.axes), ("/variants", spec.variants)]
        return [
            FieldError(at, "not_with_ablation", f"{at[1:]} must be empty. {remedy}") for at, given in taken if given
        ]
    if spec.strategy.kind == "random" and not (spec.axes or any(variant.axes for variant in spec.variants)):
        return [FieldError("/axes", "missing_field", "strategy random draws from axes; there are none. Add one.")]
    return []


def _objective_errors(objective: Objective) -> list[FieldError]:
    split, slash, _ = objective.metric.partition("/")
    if split == "test":
        message = (
            "objective.metric must be of the validation split: what is chosen by the test split cannot be judged by "
            f"it. Use validation{slash}{objective.metric.partition('/')[2]}."
        )
        return [FieldError("/objective/metric", "test_objective", message)]
    if not slash or split not in ("train", "validation"):
        hint = suggest(objective.metric, _KNOWN_METRICS) or " Correct it."
        message = f"objective.metric must be such as validation/loss; received {objective.metric!r:.80}.{hint}"
        return [FieldError("/objective/metric", "unknown_value", message)]
    return []


def _with_mode(objective: Objective) -> Objective:
    if objective.mode is not None:
        return objective
    from regcore.study.statistics import mode_of  # imports NumPy, which not every user of a spec needs

    try:
        return objective.model_copy(update={"mode": mode_of(objective.metric)})
    except SpecError as error:
        hint = suggest(objective.metric, _KNOWN_METRICS)
        raise SpecError(
            [FieldError("/objective" + one.pointer, one.code, one.message + hint) for one in error.errors]
        ) from None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
