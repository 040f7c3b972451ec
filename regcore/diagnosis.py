"""What a finished run's numbers say about it, and the change that would do better: the report's `diagnosis`.

Everything is judged by the validation split where there is one, else by the test split. Losses are measured by the
baseline's, so that one rule holds for every loss and unit.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from regcore.doubts import Doubt
from regcore.fit_numbers import Fit, fit_of
from regcore.regularizers.dropout import Dropout
from regcore.remedy_patches import (
    Change,
    balanced,
    long_run_rate,
    longer,
    strengths_of,
    stronger,
    to_early_stopping,
    weaker,
    wider,
)
from regcore.spec.job import JobSpec
from regcore.spec.kinds import METRICS

_LARGE_GAP: Final = 0.2
"""Share of the baseline's loss that lies between the splits from which the network has learned its rows by heart."""
_LARGE_RISE: Final = 0.1
"""The same for the rise of the held-out loss since its best evaluation."""
_LITTLE_LEARNED: Final = 0.1
"""Share of the baseline's loss that training took away, below which it has hardly begun."""
_STILL_FALLING: Final = 0.02
"""Share of the baseline's loss by which the loss fell in the last fifth of the evaluations."""
_STEADY_FALL: Final = 0.1
"""The same as a share of the whole fall; that of a straight line is a fifth."""
_LARGE_PENALTY: Final = 0.2
"""Share of the objective from which penalties hold the network back, if there is no gap to close."""
_LARGE_DROPOUT: Final = 0.7
_LEAKS: Final = ("column_equals_target", "rows_in_train_and_test", "rows_in_train_and_validation")
_LARGE_MAJORITY: Final = 0.6
_LITTLE_BALANCED: Final = 0.05
"""How far above the baseline's a balanced accuracy says that smaller classes are told."""
_LITTLE_SHARE: Final = 1e-3
"""Share of the objective below which a penalty does not count."""
_LITTLE_SHRINKAGE: Final = 0.01
"""The same of a weight, over the whole run."""
_SMALL_WEIGHT: Final = 0.1
_LITTLE_DROPOUT: Final = 0.01


def diagnose(
    report: Mapping[str, Any],
    spec: JobSpec,
    *,
    num_rows: Mapping[str, int],
    num_steps: int,
    selected_epoch: int,
    findings: Sequence[Doubt] = (),
) -> list[dict[str, Any]]:
    """The verdicts, the gravest first.

    `leak_suspected`, then one of `overfit`, `underfit` and `well_fitted`, then `majority_only` for a network that says
    nearly the same of every row, and `no_effect` for each regularizer without one.

    Args:
        report: Its `metrics`, `baseline`, `curves`, `sparsity` and `regularizers`.
        spec: Resolved.
        num_rows: By split.
        num_steps: Optimizer steps.
        selected_epoch: The epoch whose weights are kept.
        findings: What the rows themselves show.

    Returns:
        `[{verdict, evidence: {message, values, confidence: firm | thin, thin_because}, suggestion}]`; a suggestion is a
        JSON Patch of the resolved spec, empty if there is none.
    """
    fit = fit_of(report, num_rows, selected_epoch)
    if fit is None:
        return []
    return [
        *_leaks(report, fit, findings),
        _fitted(fit, spec, _Held.of(report, spec), num_steps),
        *_majority_only(report, fit, spec),
        *_without_effect(report, fit, spec, num_steps),
    ]


@dataclass(frozen=True)
class _Held:
    """How regularizers hold the weights back.

    Attributes:
        penalty: The share of the objective that grows with the weights. Other penalties do not ask for small weights:
            one of how far two predictions differ is large in a good run too.
        zeroed: Layers without a weight other than zero.
    """

    penalty: float
    zeroed: Sequence[str]

    @classmethod
    def of(cls, report: Mapping[str, Any], spec: JobSpec) -> "_Held":
        parts = zip(spec.regularizers, report["regularizers"], strict=True)
        penalty = sum(effect["share_of_objective"] or 0.0 for one, effect in parts if strengths_of(one))
        return cls(penalty, [layer for layer, share in report["sparsity"]["by_layer"].items() if share == 1])


def _verdict(
    verdict: str,
    message: str,
    values: Mapping[str, float | str | None],
    thin: Sequence[str],
    suggestion: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    confidence = "thin" if thin else "firm"
    evidence = {"message": message, "values": dict(values), "confidence": confidence, "thin_because": list(thin)}
    return {"verdict": verdict, "evidence": evidence, "suggestion": list(suggestion)}


def _fitted(fit: Fit, spec: JobSpec, held: _Held, num_steps: int) -> dict[str, Any]:
    gap, low, high = fit.gap
    values = {
        "split": fit.held,
        "train_loss": fit.train,
        "loss": fit.other,
        "baseline_loss": fit.baseline,
        "gap": gap,
        "gap_low": low,
        "gap_high": high,
        "learned": fit.learned,
        "rise_since_best": fit.rise,
    }
    if fit.held is not None and _is_overfit(fit):
        return _overfit(fit, spec, num_steps, values)
    if fit.learned < _LITTLE_LEARNED or fit.fall > _STILL_FALLING * fit.baseline or _is_held_back(fit, spec, held):
        return _underfit(fit, spec, held, values)
    thin = list(fit.thin)
    if fit.other_high >= fit.baseline:
        thin.append("its interval reaches the loss of always saying the same")
    if high > _LARGE_GAP * fit.baseline:
        thin.append("the gap's interval reaches that of an overfit network")
    if len(fit.curve) < 2:
        thin.append("there is a single evaluation, which shows no course")
    small = "within noise" if low <= 0 else "a small gap"
    message = (
        f"{fit.held or 'train'}/loss {fit.other:.4g} is {_percent(1 - fit.other / fit.baseline)} below that of always "
        f"saying the same ({fit.baseline:.4g}), and its distance to train/loss is {small}: {_between(gap, low, high)}."
    )
    return _verdict("well_fitted", message, values, thin)


def _is_held_back(fit: Fit, spec: JobSpec, held: _Held) -> bool:
    """Whether regularizers are strong though there is no gap for them to close."""
    drops = any(isinstance(one, Dropout) and one.p >= _LARGE_DROPOUT for one in spec.regularizers)
    return fit.gap[1] <= 0 and (drops or held.penalty > _LARGE_PENALTY)


def _is_overfit(fit: Fit) -> bool:
    """A gap beyond noise that is large, or a held-out loss that has risen again."""
    gap, low, _ = fit.gap
    is_apart = low > 0 and gap > _LARGE_GAP * fit.baseline
    return is_apart or (gap > 0 and fit.rise > _LARGE_RISE * fit.baseline)


def _overfit(fit: Fit, spec: JobSpec, num_steps: int, values: Mapping[str, Any]) -> dict[str, Any]:
    gap, low, high = fit.gap
    thin = [*fit.thin, *(["the gap's interval reaches zero"] if low <= 0 else [])]
    message = f"{fit.held}/loss {fit.other:.4g} is {_between(gap, low, high)} above train/loss {fit.train:.4g}"
    change: Change | None = None
    if fit.rise > _LARGE_RISE * fit.baseline:
        message += f", and has risen by {fit.rise:.3g} since its best evaluation"
        if fit.held == "validation":
            change = to_early_stopping(spec, len(fit.curve))
    if fit.other > fit.baseline:
        message += f"; always to say the same would do better ({fit.baseline:.4g})"
    change = change or stronger(spec, num_steps)
    return _verdict("overfit", f"{message}. {change.words}", values, thin, change.patch)


def _underfit(fit: Fit, spec: JobSpec, held: _Held, values: Mapping[str, Any]) -> dict[str, Any]:
    thin = list(fit.thin)
    has_begun = fit.learned >= _LITTLE_LEARNED
    side = "below" if fit.learned >= 0 else "above"
    message = (
        f"train/loss {fit.train:.4g} is {_percent(abs(fit.learned))} {side} that of always saying the same "
        f"({fit.train_baseline:.4g})"
    )
    change: Change | None = None
    if held.zeroed and not has_begun:
        change = weaker(spec)
        message += f", while all weights of {' and '.join(held.zeroed)} are zero" if change else ""
    elif _is_held_back(fit, spec, held):
        message += f", while penalties are {_percent(held.penalty)} of the objective" if held.penalty else ""
        change = weaker(spec)
    is_steady = fit.fall > _STEADY_FALL * max(0.0, fit.curve[0] - fit.curve[-1]) if fit.curve else False
    if change is None and (fit.fall > _STILL_FALLING * fit.baseline or (is_steady and not has_begun)):
        message += f", and losses still fell by {fit.fall:.3g} in the last fifth of the evaluations"
        change = longer(spec, has_begun=has_begun)
    if change is None:
        change = weaker(spec) or wider(spec)
        thin.append("features that do not tell the target look alike")
    return _verdict("underfit", f"{message}. {change.words}", values, thin, change.patch)


def _majority_only(report: Mapping[str, Any], fit: Fit, spec: JobSpec) -> Iterator[dict[str, Any]]:
    """A classification whose accuracy is that of the largest class."""
    if fit.held is None or spec.task.class_weights is not None:
        return
    cell = report["metrics"][fit.held].get("balanced_accuracy")
    baseline = report["baseline"]["metrics"][fit.held]
    if cell is None or cell["value"] is None or cell["value"] - baseline["balanced_accuracy"] > _LITTLE_BALANCED:
        return
    if baseline["accuracy"] < _LARGE_MAJORITY:
        return
    accuracy = report["metrics"][fit.held]["accuracy"]["value"]
    message = (
        f"{fit.held}/accuracy {accuracy:.4g} is no success: always to say {report['baseline']['label']!r} gives "
        f"{baseline['accuracy']:.4g}, and balanced_accuracy is {cell['value']:.4g} beside "
        f"{baseline['balanced_accuracy']:.4g}. {balanced().words}"
    )
    values = {"split": fit.held, "balanced_accuracy": cell["value"], "baseline_accuracy": baseline["accuracy"]}
    yield _verdict("majority_only", message, values, fit.thin, balanced().patch)


def _leaks(report: Mapping[str, Any], fit: Fit, findings: Sequence[Doubt]) -> Iterator[dict[str, Any]]:
    found = [one for one in findings if one.code in _LEAKS]
    for one in found:
        yield _verdict("leak_suspected", f"{one.message} {one.remedy}", {"finding": one.code}, [], one.patch)
    if found or fit.held is None:
        return
    for name, metric in METRICS.items():
        least, cell = metric.suspicious_from, report["metrics"][fit.held].get(name)
        if least is not None and cell is not None and cell["low"] is not None and cell["low"] >= least:
            message = (
                f"{fit.held}/{name} {cell['value']:.4g} [{cell['low']:.4g}, {cell['high']:.4g}] is hardly ever reached "
                "by honest features. Look for a column that is known only once the target is."
            )
            why = ["no single column was found that gives the target away"]
            yield _verdict("leak_suspected", message, {"split": fit.held, name: cell["value"]}, [*fit.thin, *why])


def _without_effect(report: Mapping[str, Any], fit: Fit, spec: JobSpec, num_steps: int) -> Iterator[dict[str, Any]]:
    """Regularizers that are too weak to move a weight by more than a trifle."""
    for place, (regularizer, effect) in enumerate(zip(spec.regularizers, report["regularizers"], strict=True)):
        share = effect["share_of_objective"]
        if isinstance(regularizer, Dropout):
            if regularizer.p > _LITTLE_DROPOUT:
                continue
            said, values = f"dropout leaves {100 * (1 - regularizer.p):.4g} % of the units", {"p": regularizer.p}
        else:
            strengths = strengths_of(regularizer)
            shrunk = (
                long_run_rate(spec)
                * num_steps
                * max(
                    (
                        value / (_SMALL_WEIGHT if name in regularizer.thresholds else 1)
                        for name, value in strengths.items()
                    ),
                    default=math.inf,
                )
            )
            if shrunk > _LITTLE_SHRINKAGE or (share or 0.0) > _LITTLE_SHARE:
                continue
            said = (
                f"{regularizer.kind} of {', '.join(f'{name} {value:g}' for name, value in strengths.items())} takes at "
                f"most {_percent(shrunk)} off a small weight in all {num_steps:,} steps"
            )
            values = {"shrinkage": shrunk}
        change = stronger(spec, num_steps, place)
        message = f"{said}: the run would hardly differ without it. {change.words}"
        values |= {"regularizer": place, "share_of_objective": share}
        yield _verdict("no_effect", message, values, [], change.patch)


def _between(value: float, low: float, high: float) -> str:
    return f"{value:.3g} [{low:.3g}, {high:.3g}]"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
