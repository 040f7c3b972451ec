"""The sweep that follows a suggested one: the best two regularizers together."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Final

from regcore.data.facts import FactsOf, known_facts
from regcore.errors import FieldError, SpecError
from regcore.plan import Ceilings, make_plan
from regcore.study.sweep.contenders import NOTHING, OBJECTIVE, REGULARIZERS, Contender, Suggestion, regularized
from regcore.study.sweep.duration import estimate_s, estimate_text

_ALIKE: Final = {"l2", "weight_decay"}
"""Two ways to do nearly the same, which together are one of them with another strength."""


def suggest_next(
    sweep: Mapping[str, Any],
    leaders: Sequence[Mapping[str, Any]],
    *,
    budget_s: float,
    facts_of: FactsOf = known_facts,
    ceilings: Ceilings | None = None,
) -> Suggestion:
    """The sweep that follows one of `suggest_sweep`: the best two regularizers together, beside each alone and nothing.

    Its seeds are new ones: those of the first sweep chose the two.

    Args:
        sweep: The first one's spec.
        leaders: Its leaderboard, from best to last: `{variant, values, objective: {mean}}`.
        budget_s: About how long it may take.
        facts_of: Finds the facts of the data.
        ceilings: Limits of each job.

    Raises:
        SpecError: It is not such a sweep, or fewer than two regularizers have a result. The pointer is `/after`.
    """
    pair = _best_two(leaders)
    base = sweep["base"]
    if pair is None or [one.get("name") for one in sweep["variants"][:1]] != [NOTHING]:
        message = (
            "after must name a sweep of POST /v1/sweep-suggestions that has ended, with a result for two regularizers "
            "that can act together. Name another, or leave after out."
        )
        raise SpecError([FieldError("/after", "nothing_to_combine", message)])
    plan = make_plan(base, ceilings, facts_of=facts_of)
    name = facts_of(plan.resolved_spec).name
    first = max(sweep["seeds"]) + 1
    num_seeds = len(sweep["seeds"])
    while True:
        body = {
            "name": f"{pair[0].name} and {pair[1].name} on {name}",
            "base": base,
            "variants": [{"name": NOTHING}, *(regularized(parts) for parts in ([pair[0]], [pair[1]], pair))],
            "seeds": [first + place for place in range(num_seeds)],
            "vary_split": sweep["vary_split"],
            "objective": OBJECTIVE,
        }
        lasts_s = estimate_s(plan, None, body)
        if lasts_s <= budget_s or num_seeds <= 3:
            break
        num_seeds -= 1
    names = f"{pair[0].name} and {pair[1].name}"
    reason = (
        f"{names} had the best {OBJECTIVE['metric']}; this asks whether the two together do better than each alone. "
        f"Values are those around each one's best; {num_seeds} new seeds, because the first ones chose the two."
    )
    return Suggestion(body, f"{reason} {estimate_text(lasts_s, budget_s)}", lasts_s)


def _best_two(leaders: Sequence[Mapping[str, Any]]) -> tuple[Contender, Contender] | None:
    """The two regularizers with the best results, each with the values around its best."""
    best: dict[str, Contender] = {}
    for leader in leaders:
        kind = REGULARIZERS.get(leader["variant"] or "")
        value = next(iter(leader["values"].values()), None)
        if kind is None or kind.name in best or leader["objective"]["mean"] is None or value is None:
            continue
        best[kind.name] = kind.around(value)
    fitting = (pair for pair in combinations(best.values(), 2) if {one.name for one in pair} != _ALIKE)
    return next(fitting, None)
