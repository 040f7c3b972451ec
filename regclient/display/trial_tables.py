"""A trial on a terminal: what was seen in the data, the variants while they train, and the verdicts."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from regclient.display.output import format_number
from regclient.display.progress import Show, SweepBars, SweepLines
from regclient.display.sweep_numbers import Contrast
from regclient.display.sweep_tables import BAR_WIDTH, VERDICT_STYLES, interval_bar
from regclient.display.tables import Column, FittedTable
from regclient.display.terminal import Console
from regclient.display.trial_words import effect_of, label_of, score_titles, settings_text
from regclient.display.variant_outcomes import CONSTANT, LINEAR, NOTHING, Score, Trial, VariantOutcome

_CAPTION = (
    "%: difference in test loss to the network alone, with its 95 % interval over seeds; below 0 is better. p is "
    "corrected for all rows of the table. Settings were chosen on validation rows."
)


def outcomes_table(trial: Trial, task: str) -> FittedTable:
    """Return a table with a row for each variant, the best by the objective first."""
    rows, nothing = trial.outcomes, trial.of(NOTHING)
    unit = nothing.loss.mean if nothing is not None else None
    contrasts = [_in_percent(one, unit) for one in rows]
    limit = most_shown(contrasts)
    titles = score_titles(task)
    shown_scores = [name for name in titles if any(name in one.scores for one in rows)]
    return FittedTable(
        [
            Column("", [escape(label_of(one.name, task)) for one in rows], folds=True),
            Column("setting", [escape(settings_text(one.values).removeprefix("strength ")) for one in rows], need=2),
            *(
                Column(
                    titles[name].replace(" ", "\n"),
                    [_mean(one.scores.get(name)) for one in rows],
                    need=2 + (name in ("accuracy", "mae")),
                    is_number=True,
                )
                for name in shown_scores
            ),
            Column("test loss", [format_number(one.loss.mean) for one in rows], need=3, is_number=True),
            Column(escape("% [95 %]"), [_percent(one) for one in contrasts], need=1, is_number=True),
            Column("interval".center(BAR_WIDTH), [_bar(one, limit) for one in contrasts], need=4),
            Column("p", [_p_value(one) for one in rows], need=5, is_number=True),
            Column("verdict", [_effect(one) for one in rows]),
        ],
        caption=escape(_CAPTION),
    )


def contrasts_in_percent(trial: Trial) -> list[Contrast]:
    """The difference of each variant to the network alone, in % of its loss; the network itself is left out."""
    nothing = trial.of(NOTHING)
    unit = nothing.loss.mean if nothing is not None else None
    return [_in_percent(one, unit) for one in trial.outcomes if one.name != NOTHING]


def most_shown(contrasts: Sequence[Contrast]) -> float:
    """How far an axis reaches: a baseline that is far off must not flatten what regularizers do."""
    plain = [one for one in contrasts if one.label not in (CONSTANT, LINEAR)] or contrasts
    return max((abs(end) for one in plain for end in (one.value, one.low, one.high) if end is not None), default=0.0)


def _in_percent(one: VariantOutcome, unit: float | None) -> Contrast:
    def share(value: float | None) -> float | None:
        return None if value is None or not unit else 100 * value / abs(unit)

    found = one.difference
    return Contrast(
        one.name, share(found.mean), share(found.low), share(found.high), one.p_value, None, one.verdict, one.note
    )


def _bar(one: Contrast, limit: float) -> str:
    if one.value is None or abs(one.value) > limit:
        return ""

    def inside(value: float | None) -> float | None:
        return None if value is None else max(-limit, min(limit, value))

    return interval_bar(Contrast(one.label, one.value, inside(one.low), inside(one.high), None, None, "", None), limit)


def _percent(one: Contrast) -> str:
    if one.value is None:
        return "–"
    shown = _rounded(one.value, "+")
    return shown if one.low is None or one.high is None else f"{shown} [{_rounded(one.low)}, {_rounded(one.high)}]"


def _rounded(percent: float, sign: str = "-") -> str:
    """Three digits, but neither an exponent nor more than two decimals: a hundredth of a percent is nothing."""
    decimals = 0 if abs(percent) >= 100 else 1 if abs(percent) >= 10 else 2
    shown = f"{percent:{sign}.{decimals}f}"
    return shown if float(shown) else "0"


def _mean(score: Score | None) -> str:
    return format_number(None if score is None else score.mean)


def _p_value(one: VariantOutcome) -> str:
    return "–" if one.p_value is None else f"{one.p_value:.2g}"


def _effect(one: VariantOutcome) -> str:
    style, said = VERDICT_STYLES.get(one.verdict, "") if one.role == "regularizer" else "dim", escape(effect_of(one))
    return f"[{style}]{said}[/]" if style else said


class TrialBars(SweepBars):
    """The bar of a sweep, and below it each variant: how much of it has ended, and its best result so far."""

    def __init__(self, live: Live, console: Console, task: str) -> None:
        super().__init__(live, console)
        self._task = task

    def show(self, sweep: Mapping[str, Any]) -> None:
        """Draw the sweep's current state."""
        super().show(sweep)
        self._live.update(Group(*self._drawn.values(), self._variants(sweep)), refresh=True)

    def _variants(self, sweep: Mapping[str, Any]) -> Table:
        grid = Table.grid(padding=(0, 2, 0, 0))
        for name in _variant_names(sweep):
            leaders = [one for one in sweep.get("leaderboard") or [] if one.get("variant") == name]
            states = [state for one in leaders for state, num in one["states"].items() for _ in range(num)]
            num_ended = sum(state in ("succeeded", "failed", "cancelled") for state in states)
            best = next((one for one in leaders if one["objective"]["mean"] is not None), None)
            result = (
                "" if best is None else f"{format_number(best['objective']['mean'])}  {settings_text(best['values'])}"
            )
            grid.add_row(
                Text(f"  {label_of(name, self._task)}"),
                Text(f"{num_ended:,} of {len(states):,}", style="dim", justify="right"),
                Text(result),
            )
        return grid


def trial_show(live: Live | None, console: Console, task: str) -> Show:
    """Return what shows a sweep while it is waited for: bars on a terminal, elsewhere lines."""
    return SweepLines(console).show if live is None else TrialBars(live, console, task).show


def _variant_names(sweep: Mapping[str, Any]) -> list[str]:
    return [variant["name"] for variant in (sweep.get("spec") or {}).get("variants") or []]
