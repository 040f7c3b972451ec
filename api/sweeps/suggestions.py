"""Suggested sweeps: from data and a budget to the body of a sweep. Nothing is stored."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from api.datasets.tables import facts_of
from api.services import Services
from api.sweeps.leaderboard import leaderboard, spec_of
from jobs.errors import SweepNotFoundError
from jobs.model import Json, Sweep
from jobs.states import SWEEP_TERMINAL
from regcore.errors import FieldError, SpecError
from regcore.plan import make_plan
from regcore.spec import parse_as
from regcore.spec.validation import shown
from regcore.study.sweep import Suggestion, suggest_next, suggest_sweep
from regcore.study.sweep.spec import Seed

MAX_BUDGET_S = 31_536_000

# Any other text is refused as the id of a sweep that is not there.
SweepId = Annotated[str, Field(json_schema_extra={"pattern": "^swp_[0-9A-HJKMNP-TV-Z]{26}$"})]


class SuggestionRequest(BaseModel):
    """What to ask about, and how long the answer may take."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    data: dict[str, Any] | None = None
    """A job spec's `data`; required without `after`."""
    model: dict[str, Any] | None = None
    """A job spec's `model`; null for a network that suits the number of rows."""
    task: dict[str, Any] | None = None
    """A job spec's `task`; null for the data's own."""
    budget_s: Annotated[float, Field(gt=0, le=MAX_BUDGET_S)]
    """About how long the sweep may take, on two cores and one slot."""
    seeds: Annotated[list[Seed], Field(min_length=1, max_length=1000)] | None = None
    """Exactly these; null for as many as the budget allows."""
    after: SweepId | None = None
    """A suggested sweep that has ended: the answer is the sweep that follows it, on its data and model."""


def suggest(services: Services, tenant: str, body: Any) -> Suggestion:
    """Return the sweep for a request.

    Raises:
        SpecError: The request is wrong, or the data are still being read.
    """
    asked = parse_as(SuggestionRequest, body)
    facts, limits = facts_of(services, tenant), services.settings
    if asked.after is not None:
        sweep = _ended(services, tenant, asked.after)
        _refuse_others(asked, sweep, services, tenant)
        spec = spec_of(sweep)
        leaders = leaderboard(spec, services.store.sweep_members(tenant, sweep.id, spec.metric))
        return suggest_next(sweep.spec, leaders, budget_s=asked.budget_s, facts_of=facts, ceilings=services.ceilings)
    if asked.data is None:
        message = "data is required, unless after names a sweep. Say which data to ask about."
        raise SpecError([FieldError("/data", "missing_field", message)])
    return suggest_sweep(
        asked.data,
        model=asked.model,
        task=asked.task,
        budget_s=asked.budget_s,
        seeds=asked.seeds,
        facts_of=facts,
        ceilings=services.ceilings,
        max_members=limits.max_sweep_members,
    )


def show(suggestion: Suggestion) -> Json:
    """Return a suggestion as users see it."""
    return {
        "sweep": suggestion.sweep,
        "reason": suggestion.reason,
        "estimate_s": round(suggestion.estimate_s, 1),
    }


def _ended(services: Services, tenant: str, sweep_id: str) -> Sweep:
    try:
        sweep = services.store.get_sweep(tenant, sweep_id)
    except SweepNotFoundError as error:
        message = f"after must name one of your sweeps. {error} Correct the id."
        raise SpecError([FieldError("/after", "sweep_not_found", message)]) from error
    if sweep.state not in SWEEP_TERMINAL:
        message = f"after must name a sweep that has ended; {sweep_id} is {sweep.state}. Wait, or cancel it."
        raise SpecError([FieldError("/after", "sweep_not_ended", message)])
    return sweep


def _refuse_others(asked: SuggestionRequest, sweep: Sweep, services: Services, tenant: str) -> None:
    """Refuse what differs from the sweep that is to be followed."""
    facts = facts_of(services, tenant)
    base = sweep.spec["base"]
    given = {name: value for name in ("data", "model", "task") if (value := getattr(asked, name)) is not None}
    if not given:
        return
    there = make_plan(base, facts_of=facts).resolved_spec
    here = make_plan(base | given, facts_of=facts).resolved_spec
    errors = [
        FieldError(
            f"/{name}",
            "not_of_this_sweep",
            f"{name} must be that of the sweep that after names, or be left out; received {shown(value)}.",
        )
        for name, value in given.items()
        if getattr(here, name) != getattr(there, name)
    ]
    if errors:
        raise SpecError(errors)
