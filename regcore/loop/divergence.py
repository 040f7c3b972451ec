"""The end of a run whose loss is no longer finite: the likeliest cause, and what was good before."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from regcore.at import At
from regcore.errors import DivergedError
from regcore.parts import parts_of
from regcore.plan import Plan
from regcore.remedies import remedies


def diverged(
    plan: Plan, history: Sequence[Mapping[str, Any]], selected_epoch: int, *, step: int, num_updates: int
) -> DivergedError:
    """The error of one member.

    Args:
        plan: The plan that it trained.
        history: Its evaluations, as bodies of `metrics` records.
        selected_epoch: The epoch whose weights were kept so far; 0 before any was selected.
        step: The first step whose loss was not finite, counted from 1.
        num_updates: How many updates the weights had had when that loss was computed; the last of them caused it.
    """
    good = [row for row in history if not row["non_finite"]]
    epoch = (step - 1) // plan.steps_per_epoch + 1
    last_update = At(max(0, num_updates - 1), plan.steps_per_epoch, plan.num_steps)
    causes = remedies(plan.resolved_spec, last_update)
    best = _best_epoch(plan, history, selected_epoch)
    return DivergedError(
        f"the training loss became infinite or NaN at step {step}, in epoch {epoch}",
        remedy=" ".join([causes[0].advice, *_how_to_have(best, plan)]),
        details={
            "step": step,
            "epoch": epoch,
            "last_finite": good[-1]["values"] if good else None,
            "likely_causes": [cause.pointer for cause in causes],
            **best,
        },
    )


def _best_epoch(plan: Plan, history: Sequence[Mapping[str, Any]], selected_epoch: int) -> dict[str, Any]:
    """The epoch that was selected so far, and the metric that selects; None if nothing selects."""
    metric = next((one.watches for one in plan.resolved_spec.regularizers if one.watches), None)
    if metric is None or not selected_epoch:
        return {"best_epoch": None, "best_metric": None, "best_value": None}
    (row,) = (row for row in history if row["epoch"] == selected_epoch)
    return {"best_epoch": row["epoch"], "best_metric": metric, "best_value": row["values"][metric]}


def _how_to_have(best: Mapping[str, Any], plan: Plan) -> Iterator[str]:
    epoch, spec = best["best_epoch"], plan.resolved_spec
    if epoch is None:
        return
    follows_length = any(part.schedule.follows_length for part in parts_of(spec))
    ends = ", though its schedule then ends there too" if follows_length else ""
    yield (
        f"Epoch {epoch} was the best before ({best['best_metric']} {best['best_value']:g}): training.epochs {epoch} "
        f"ends with it{ends}."
    )
