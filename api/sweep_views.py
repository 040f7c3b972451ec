"""What responses about many jobs look like: sweeps, paths, comparisons, ablations."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from api.services import Services
from api.sweeps import MAX_LEADERS, best, find_resplits, leaderboard, spec_of, sweep_warnings
from api.times import Time
from api.views import Json, View
from jobs.model import Sweep, SweepMember, SweepSummary
from jobs.states import SweepState
from regcore.sweep import SweepPlan

Verdict = Literal["helps", "hurts", "no_measurable_effect"]
Mode = Literal["min", "max"]


class SweepSummaryView(View):
    """A sweep as lists show it."""

    id: str
    name: str | None
    labels: dict[str, str]
    state: SweepState
    """`failed` only if every member failed."""
    counts: dict[str, int]
    """Members in each state."""
    num_members: int
    num_halved: int
    """Members that successive halving stopped; they count as `cancelled`."""
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    links: dict[str, str] = Field(default={})


class Score(View):
    """A mean over seeds with its 95 % interval."""

    mean: float | None
    low: float | None
    """null where there are fewer than two values."""
    high: float | None
    num: int
    num_missing: int
    """Members without a value: those that ended so, and those that have not ended."""


class Best(View):
    """A combination, and the spec of its first member, which can be submitted again."""

    variant: str | None
    values: Json
    objective: Score
    job_ids: list[str]
    spec: Json


class Leader(View):
    """One combination."""

    rank: int
    """Those that lack a value for a seed come behind those that lack none."""
    variant: str | None
    values: Json
    """By pointer, what each axis put in its place; null where it removed what was there."""
    objective: Score
    states: dict[str, int]
    job_ids: list[str]
    """One for each seed."""


class SweepView(SweepSummaryView):
    """A sweep, whole."""

    spec: Json
    """With every default filled in; `base` as it was sent."""
    warnings: list[Json] = Field(default=[])
    """Where it has fewer combinations than its spec asks for. What is doubtful in a member's spec the member says."""
    best: Best | None
    """As far as members have succeeded."""
    leaderboard: Annotated[list[Leader], Field(max_length=MAX_LEADERS)]
    """From best to last; of very many the first thousand. Those without a value come behind: who may still get one, who
    was halved, who failed or was cancelled; of these first who went further, then who was better there."""


class SweepPage(View):
    """A page of sweeps."""

    data: list[SweepSummaryView]
    next_after: str | None
    """Continues the list, as `after`; null on the last page."""
    has_more: bool


class SweepValidation(View):
    """A sweep that would be accepted."""

    valid: Literal[True] = True
    resolved_spec: Json
    num_candidates: int
    """Combinations; each is trained with every seed."""
    num_members: int
    warnings: list[Json]
    """Doubtful places of the sweep, and of any member's spec, each once."""


class Interval(View):
    """A number with its 95 % interval; null is not known."""

    value: float | None
    low: float | None
    high: float | None


class Objective(View):
    """What the best was chosen by."""

    metric: str
    mode: Mode


class PathPointView(View):
    """What happened at one value; each number is `{value, low, high, num, num_missing}` over seeds."""

    value: float
    num: int
    """Members that succeeded."""
    num_missing: int
    """Members without a result: those that ended so, and those that have not ended."""
    metrics: Json
    """By name: `train/loss`, `validation/loss`, `test/loss`, `test/accuracy`, …"""
    norms: Json
    """Of all weights together: `l1` and `l2`."""
    generalization_gap: Json
    sparsity: Json
    kkt_residual: float | None
    """Where the problem is convex, the largest over seeds: how far the optimality conditions are from being met."""


class PathView(View):
    """What happens along one strength, and which value to take."""

    pointer: str
    objective: Objective
    points: list[PathPointView]
    """By rising value."""
    best_value: float | None
    """The best mean of the objective. One with a member missing is taken only where every value has one."""
    one_standard_error_value: float | None
    """The strongest value no worse than the best by more than a standard error; null with fewer than two seeds, and
    where neither end of the axis regularizes more, as of a learning rate."""
    smallest_zero_value: float | None
    """The smallest value that leaves no weight in any member."""
    max_kkt_residual: float | None
    l1_max: float | None
    """Of a convex problem: the smallest L1 strength that leaves no weight."""
    note: str | None


class GroupView(View):
    """A group's mean over seeds."""

    name: str
    num: int
    num_missing: int
    mean: float | None
    low: float | None
    high: float | None


class Judgement(View):
    """What to make of a difference."""

    p_value: float | None
    p_value_corrected: float | None
    """By Holm's method, over all differences of the answer."""
    num_pairs: int
    """Members compared with one of the same seed."""
    paired: bool
    standard_error: Json
    """By source: `seeds`, the noise of training, and `rows`, which rows happened to be tested."""
    tests: Json
    """`mcnemar`: of each pair on the same rows, right or wrong; null elsewhere."""
    verdict: Verdict
    """`helps` or `hurts` only where the noise of the rows is known, besides that of training."""
    note: str | None
    """What to know before believing it."""


class DifferenceView(Judgement):
    """group − baseline."""

    group: str
    baseline: str
    difference: Interval


class ComparisonView(View):
    """Groups of jobs, each against each."""

    metric: str
    mode: Mode
    groups: list[GroupView]
    differences: list[DifferenceView]
    correction: Literal["holm"]


class VariantView(GroupView):
    """A variant at its best."""

    values: Json
    job_ids: list[str]


class SweepComparisonView(View):
    """A sweep's variants, each at what the objective chose for it."""

    objective: Objective
    metric: str
    mode: Mode
    groups: list[VariantView]
    differences: list[DifferenceView]
    correction: Literal["holm"]


class WithoutView(View):
    """The members without one regularizer."""

    num: int
    num_missing: int
    mean: float | None
    low: float | None
    high: float | None


class ContributionView(Judgement):
    """What one regularizer contributes in the presence of the others."""

    regularizer: str
    contribution: Interval
    """Above 0 it helps."""
    without: WithoutView


class AblationView(View):
    """What each regularizer contributes."""

    metric: str
    mode: Mode
    full: GroupView
    contributions: list[ContributionView]
    correction: Literal["holm"]


def show_sweep(services: Services, sweep: Sweep, members: Sequence[SweepMember] | None = None) -> SweepView:
    """Return a sweep as users see it, with what these members have come to; by default all of it, by now."""
    spec = spec_of(sweep)
    if members is None:
        members = services.store.sweep_members(sweep.tenant, sweep.id, spec.metric)
    leaders = leaderboard(spec, members, find_resplits(services, sweep, members))
    more: dict[str, Any] = {"best": best(services, sweep.tenant, leaders), "leaderboard": leaders[:MAX_LEADERS]}
    more["warnings"] = sweep_warnings(sweep, spec, members)
    summary = show_sweep_summary(services, sweep).model_dump(exclude={"created_at", "started_at", "finished_at"})
    times = {name: getattr(sweep, name) for name in ("created_at", "started_at", "finished_at")}
    return SweepView.model_validate({**summary, **times, "spec": sweep.spec, **more})


def show_sweep_summary(services: Services, sweep: SweepSummary) -> SweepSummaryView:
    """Return a sweep as lists show it."""
    own = services.url(f"/v1/sweeps/{sweep.id}")
    links = {"self": own, **{part: f"{own}/{part}" for part in ("path", "comparison", "ablation", "cancel")}}
    links["jobs"] = services.url(f"/v1/jobs?sweep_id={sweep.id}")
    return SweepSummaryView.model_validate(sweep).model_copy(update={"links": links})


def show_sweep_validation(plan: SweepPlan) -> SweepValidation:
    """Return what submitting the sweep would store."""
    return SweepValidation(
        resolved_spec=plan.spec.model_dump(mode="json", by_alias=True),
        num_candidates=len(plan.candidates),
        num_members=len(plan.members),
        warnings=[warning.model_dump(mode="json") for warning in plan.warnings],
    )
