"""Response schemas about many jobs: sweeps, paths, comparisons, ablations."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from api.http.schemas import View
from api.http.times import Time
from api.services import Services
from api.sweeps.leaderboard import MAX_LEADERS, best, find_resplits, leaderboard, spec_of, sweep_warnings
from jobs.model import Json, Sweep, SweepMember, SweepSummary
from jobs.states import SweepState
from regcore.study import Verdict
from regcore.study.sweep import SweepPlan

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
    """null with fewer than two values."""
    high: float | None
    num: int
    num_missing: int
    """Members without a value, ended or not."""


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
    """Combinations that lack a value for a seed come after complete ones."""
    variant: str | None
    values: Json
    """The value of each axis, by pointer; null if it removed the place."""
    objective: Score
    states: dict[str, int]
    job_ids: list[str]
    """One for each seed."""


class SweepView(SweepSummaryView):
    """A sweep, whole."""

    spec: Json
    """With every default filled in; `base` as it was sent."""
    warnings: list[Json] = Field(default=[])
    """If there are fewer combinations than the spec asks for. Doubts about a member's spec are in the member."""
    best: Best | None
    """The best so far."""
    leaderboard: Annotated[list[Leader], Field(max_length=MAX_LEADERS)]
    """From best to worst, at most a thousand. Combinations without a value come last: those that may still get one,
    halved ones, failed or cancelled ones; among these first those that came further, then those that were better
    there."""


class SweepPage(View):
    """A page of sweeps."""

    data: list[SweepSummaryView]
    next_after: str | None
    """The `after` of the next page; null on the last page."""
    has_more: bool


class SweepValidation(View):
    """A sweep that would be accepted."""

    valid: Literal[True] = True
    resolved_spec: Json
    num_candidates: int
    """Combinations; each is trained with every seed."""
    num_members: int
    warnings: list[Json]
    """Doubts about the sweep and its members' specs, each once."""


class Interval(View):
    """A number with its 95 % interval; null if unknown."""

    value: float | None
    low: float | None
    high: float | None


class Objective(View):
    """The metric by which the best is chosen."""

    metric: str
    mode: Mode


class PathPointView(View):
    """The metrics at one value of the axis; each number is `{value, low, high, num, num_missing}` over seeds."""

    value: float
    num: int
    """Members that succeeded."""
    num_missing: int
    """Members without a result, ended or not."""
    metrics: Json
    """By name: `train/loss`, `validation/loss`, `test/loss`, `test/accuracy`, …"""
    norms: Json
    """Of all weights together: `l1` and `l2`."""
    generalization_gap: Json
    sparsity: Json
    kkt_residual: float | None
    """For a convex problem: the largest violation of the optimality conditions, over seeds."""


class PathView(View):
    """The metrics along one axis, and which value to take."""

    pointer: str
    objective: Objective
    points: list[PathPointView]
    """By rising value."""
    best_value: float | None
    """The value with the best mean of the objective. One with a missing member is taken only if all values have one."""
    one_standard_error_value: float | None
    """The strongest value that is worse than the best by at most a standard error; null with fewer than two seeds, or
    if neither end of the axis regularizes more, as for a learning rate."""
    smallest_zero_value: float | None
    """The smallest value that leaves no weight in any member."""
    max_kkt_residual: float | None
    l1_max: float | None
    """For a convex problem: the smallest L1 strength that leaves no weights."""
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
    """The judgement of a difference."""

    p_value: float | None
    p_value_corrected: float | None
    """By Holm's method, over all differences of the answer."""
    num_pairs: int
    """Pairs of members with the same seed."""
    paired: bool
    standard_error: Json
    """By source: `seeds`, the noise of training, and `rows`, the choice of test rows."""
    tests: Json
    """`mcnemar`: for each pair, if tested on the same rows as right or wrong; otherwise null."""
    verdict: Verdict
    """`helps` or `hurts` only if the noise of the rows is known, in addition to that of training."""
    note: str | None
    """What to know before relying on it."""


class DifferenceView(Judgement):
    """group − baseline."""

    group: str
    baseline: str
    difference: Interval


class ComparisonView(View):
    """Groups of jobs, compared in pairs."""

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
    """A sweep's variants, each at its best combination by the objective."""

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


class SuggestionView(View):
    """A sweep to submit."""

    sweep: Json
    """The body of `POST /v1/sweeps`."""
    reason: str
    """What it compares, and what was left out to fit the budget."""
    estimate_s: float = Field(ge=0)
    """About how long it takes on two cores and one slot with nothing else to do: an estimate."""


def show_sweep(services: Services, sweep: Sweep, members: Sequence[SweepMember] | None = None) -> SweepView:
    """Return a sweep as users see it, with the results of these members."""
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
