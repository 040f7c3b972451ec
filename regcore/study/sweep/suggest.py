"""Sweeps that ask which regularizer helps on some data, within a budget of time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from regcore.data.facts import FactsOf, known_facts
from regcore.errors import FieldError, SpecError
from regcore.plan import Ceilings, Plan, make_plan
from regcore.study.sweep.contenders import (
    NOTHING,
    OBJECTIVE,
    REGULARIZERS,
    Contender,
    Json,
    Suggestion,
    base_of,
    constant,
    linear,
    model_for,
    regularized,
)
from regcore.study.sweep.duration import estimate_s, estimate_text, num_evaluations
from regcore.study.sweep.effort import LADDER, LEFT_OUT, Effort, with_seeds

_LINEAR: Final = frozenset({"embedding", "flatten", "global_pool", "linear"})
"""The layers of a linear model of any rows."""


@dataclass(frozen=True)
class _Subject:
    """What is asked about.

    Attributes:
        data: As sent, and so are `task` and `model`.
        plan: Of the network without a regularizer.
        linear_plan: Of a linear model; None if the network is one, or such a model cannot be trained here.
        kinds: The regularizers that the network can have.
        name: What the data are called.
    """

    data: Json
    task: Json | None
    model: Json
    plan: Plan
    linear_plan: Plan | None
    kinds: Mapping[str, Contender]
    name: str

    @property
    def vary_split(self) -> bool:
        """Whether seeds can draw splits of their own."""
        return getattr(self.plan.resolved_spec.data, "split_column", None) is None


def suggest_sweep(
    data: Json,
    *,
    model: Json | None = None,
    task: Json | None = None,
    budget_s: float,
    seeds: Sequence[int] | None = None,
    facts_of: FactsOf = known_facts,
    ceilings: Ceilings | None = None,
    max_members: int = 10_000,
) -> Suggestion:
    """The sweep that asks which regularizer helps a network on these data.

    It compares `nothing`, each of `REGULARIZERS`, `linear` with tuned L2, and `constant`, each tuned on the validation
    split, over seeds that draw their own splits and weights.

    Args:
        data: A job spec's `data`.
        model: A job spec's `model`; None for a network that suits the number of rows.
        task: A job spec's `task`; None for the data's own.
        budget_s: About how long it may take.
        seeds: Exactly these; None for as many as the budget allows, from 0.
        facts_of: Finds the facts of the data.
        ceilings: Limits of each job.
        max_members: The most members.

    Raises:
        SpecError: The data, the model or the task cannot be used; pointers are into `{data, model, task}`.
    """
    subject = _subject(data, model, task, facts_of, ceilings)
    tried: list[tuple[Effort, Json, float]] = []
    for effort in LADDER if seeds is None else with_seeds(len(seeds)):
        body = _body(subject, effort, seeds or range(effort.num_seeds), ceilings)
        tried.append((effort, body, estimate_s(subject.plan, subject.linear_plan, body)))
        if tried[-1][-1] <= budget_s and _num_members(body) <= max_members:
            break
    effort, body, lasts_s = tried[-1]
    if _num_members(body) > max_members:
        message = f"the smallest sweep has {_num_members(body):,} members; this server allows {max_members:,}."
        raise SpecError([FieldError("", "over_ceiling", f"{message} Raise REGCORE_MAX_SWEEP_MEMBERS.")])
    return Suggestion(body, _reason(subject, body, tried[0][0], effort, lasts_s, budget_s), lasts_s)


def _subject(
    data: Json, model: Json | None, task: Json | None, facts_of: FactsOf, ceilings: Ceilings | None
) -> _Subject:
    known = _once(facts_of)
    # One epoch of one batch, which no ceiling and no number of rows forbids.
    training = {"epochs": 1, "batch_size": "full"}
    asked = {"data": data, **({} if task is None else {"task": task}), "training": training}
    plan = make_plan({**asked, "model": model or {"kind": "linear"}}, ceilings, facts_of=known)
    if model is None:
        model = model_for(plan.row, plan.num_rows.train + plan.num_rows.validation + plan.num_rows.test)
        plan = make_plan({**asked, "model": model}, ceilings, facts_of=known)
    _refuse_empty_splits(plan)

    def can_have(kind: Contender) -> bool:
        try:
            make_plan({**asked, "model": model, "regularizers": [kind.regularizer()]}, ceilings, facts_of=known)
        except SpecError:  # such as dropout where there is no hidden layer
            return False
        return True

    kinds_of_layers = [layer.kind for layer in plan.layers]
    is_linear = {*kinds_of_layers} <= _LINEAR and kinds_of_layers.count("linear") == 1
    linear_plan = None if is_linear else make_plan({**asked, "model": {"kind": "linear"}}, ceilings, facts_of=known)
    kinds = {name: kind for name, kind in REGULARIZERS.items() if can_have(kind)}
    return _Subject(data, task, model, plan, linear_plan, kinds, known(plan.resolved_spec).name)


def _refuse_empty_splits(plan: Plan) -> None:
    errors = [
        FieldError(
            f"/data/{split}_fraction",
            "empty_split",
            f"{use} needs rows in the {split} split; there are none. Raise data.{split}_fraction, e.g. to 0.2.",
        )
        for split, use in (("validation", "tuning"), ("test", "a verdict"))
        if getattr(plan.num_rows, split) == 0
    ]
    if errors:
        raise SpecError(errors)


def _body(subject: _Subject, effort: Effort, seeds: Sequence[int], ceilings: Ceilings | None) -> Json:
    steps = min(effort.num_steps, ceilings.steps) if ceilings else effort.num_steps
    base = base_of(subject.data, subject.task, subject.model, subject.plan, steps)
    if ceilings:
        base["training"]["epochs"] = min(base["training"]["epochs"], ceilings.epochs)
    left_out = LEFT_OUT[: effort.num_left_out]
    most_patience = num_evaluations(base["training"]) - 2
    variants = [{"name": NOTHING}]
    for kind in subject.kinds.values():
        fitting = kind.thinned(effort.num_values)
        if kind.name == "early_stopping":
            fitting = replace(
                fitting, values=tuple(value for value in kind.values if value <= most_patience)[:3] or (1,)
            )
        if kind.name not in left_out:
            variants.append(regularized([fitting]))
    linear_steps = max(250, steps // 4)
    if ceilings:
        linear_steps = min(linear_steps, ceilings.epochs)
    of_linear = subject.linear_plan or subject.plan
    # The baselines go first: a sweep that is cut short has them, and verdicts need them.
    baselines = [constant(of_linear, linear_steps)]
    if subject.linear_plan is not None:
        baselines.append(linear(of_linear, linear_steps, effort.num_values))
    variants[1:1] = baselines
    return {
        "name": f"which regularizer helps on {subject.name}",
        "base": base,
        "variants": variants,
        "seeds": list(seeds),
        "vary_split": subject.vary_split,
        "objective": OBJECTIVE,
    }


def _reason(subject: _Subject, body: Json, most: Effort, effort: Effort, lasts_s: float, budget_s: float) -> str:
    rows = subject.plan.num_rows
    names = [variant["name"] for variant in body["variants"]]
    num_values = max(len(axis["values"]) for variant in body["variants"] for axis in variant.get("axes", []))
    splits = "each with splits and weights of its own" if body["vary_split"] else "all on the splits of the column"
    said = [
        f"{len(names)} ways to train on {subject.name} ({rows.train:,} rows to train on, "
        f"{rows.validation:,} to choose by, {rows.test:,} to judge by): {', '.join(names)}.",
        f"Each is tuned on up to {num_values} values by {OBJECTIVE['metric']}; {len(body['seeds'])} seeds, {splits}.",
    ]
    missing = [name for name, kind in REGULARIZERS.items() if name not in subject.kinds and not kind.of_some_rows]
    if missing:
        said.append(f"This network cannot have {' or '.join(missing)}.")
    cuts = [
        *_cut("seeds", most.num_seeds, effort.num_seeds),
        *_cut("values of each", most.num_values, effort.num_values),
        *_cut("steps of a run", most.num_steps, effort.num_steps),
        *([f"no {' and no '.join(LEFT_OUT[: effort.num_left_out])}"] if effort.num_left_out else []),
    ]
    if cuts:
        said.append(f"To fit the budget: {', '.join(cuts)}.")
    if len(body["seeds"]) < 5:
        said.append("With fewer than five seeds only large effects show.")
    return " ".join([*said, estimate_text(lasts_s, budget_s)])


def _cut(what: str, most: int, taken: int) -> list[str]:
    return [f"{taken:,} {what} in place of {most:,}"] if taken < most else []


def _num_members(body: Json) -> int:
    per_seed = sum(math.prod(len(axis["values"]) for axis in variant.get("axes", [])) for variant in body["variants"])
    return per_seed * len(body["seeds"])


def _once(facts_of: FactsOf) -> FactsOf:
    """The same, asked once: all specs of one sweep have the same data and task."""
    known: list[Any] = []

    def facts(spec: Any) -> Any:
        if not known:
            known.append(facts_of(spec))
        return known[0]

    return facts
