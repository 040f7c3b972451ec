"""The picture of a trial: each variant's difference to the network alone."""

from pathlib import Path

from regclient.display.sweep_numbers import Contrast, Contrasts
from regclient.display.sweep_plots import draw_contrasts
from regclient.display.trial_tables import contrasts_in_percent, most_shown
from regclient.display.trial_words import effect_of, label_of, settings_text
from regclient.display.variant_outcomes import Trial

_FAR = 1.5
"""Times the reach of all regularizers, from which a baseline is told in words."""


def draw_trial(trial: Trial, file: Path, *, task: str, title: str) -> None:
    """Draw each variant's difference to the network alone with its interval, and its verdict beside it.

    Args:
        trial: The verdicts.
        file: The picture to write; the suffix chooses the format.
        task: `classification` or `regression`.
        title: The title above the picture.
    """
    contrasts = contrasts_in_percent(trial)
    reach = _FAR * most_shown(contrasts)
    far = [one for one in contrasts if one.value is not None and abs(one.value) > reach]
    axis = f"difference in {trial.metric} to the network alone in % of its loss, better below 0"
    axis += "".join(f"; far off: {label_of(one.label, task)}, {one.value:+.0f} %" for one in far)
    rows = [_labelled(one, trial, task) for one in contrasts if one not in far]
    draw_contrasts(Contrasts(title, axis, rows), file)


def _labelled(one: Contrast, trial: Trial, task: str) -> Contrast:
    outcome = trial.of(one.label)
    settings = settings_text(outcome.values) if outcome is not None else ""
    effect = effect_of(outcome) if outcome is not None else one.verdict
    label = label_of(one.label, task) + (f" ({settings})" if settings else "")
    # Without its note, which mostly counts members: --json has it.
    return Contrast(label, one.value, one.low, one.high, one.p_value, one.num_pairs, effect, None)
