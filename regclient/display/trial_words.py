"""What a trial found, in sentences: first whether anything was learned at all."""

from collections.abc import Sequence
from typing import Any

from regclient.display.output import format_number
from regclient.display.sweep_words import kind_label
from regclient.display.variant_outcomes import (
    CONSTANT,
    FEWEST_SEEDS,
    LINEAR,
    NO_BETTER_THAN_CONSTANT,
    NOTHING,
    Score,
    Trial,
    VariantOutcome,
)
from regclient.known_kinds import task_named

_LABELS = {NOTHING: "the network alone", LINEAR: "linear with L2"}
_EFFECTS = {"helps": "helps", "hurts": "hurts", "no_measurable_effect": "not measurable"}
_OF_BASELINES = {"helps": "better", "hurts": "worse", "no_measurable_effect": "no difference"}


def label_of(name: str, task: str) -> str:
    """What a variant is called for people."""
    if name == CONSTANT:
        return task_named(task).constant_answer
    return " + ".join(_LABELS.get(part) or kind_label(part) for part in name.split(" + "))


def effect_of(one: VariantOutcome) -> str:
    """Its verdict in two words."""
    if one.role == "reference":
        return "the reference"
    if one.note == NO_BETTER_THAN_CONSTANT:
        return "only unlearns"
    if one.role == "regularizer" and _is_undecided(one):
        return "undecided"
    names = _OF_BASELINES if one.role == "baseline" else _EFFECTS
    return names.get(one.verdict, one.verdict)


def constant_words(task: str) -> str:
    """What the plainest baseline does."""
    return task_named(task).constant_outputs


def score_titles(task: str) -> dict[str, str]:
    """What the scores that tables show are called for people, by name; a newer server's task has none here."""
    known = task_named(task)
    return {name: known.metrics[name].title for name in known.headlines}


def settings_text(values: Any) -> str:
    """The tuned values in a few characters: `strength 0.01`."""
    return ", ".join(f"{pointer.rpartition('/')[2]} {value:g}" for pointer, value in values.items())


def trial_sentences(trial: Trial, task: str, target: str) -> list[str]:
    """What was found, the most sobering first.

    Args:
        trial: The verdicts.
        task: The kind of the task, such as `classification`.
        target: The column that is predicted.
    """
    winner, constant = trial.winner, trial.of(CONSTANT)
    if winner is None:
        return ["Nothing was trained to its end, so there is no verdict."]
    said = []
    if constant is not None and not trial.beats_constant:
        said.append(
            f"Nothing here predicts {target} measurably better than {constant_words(task)} for every row "
            f"(test loss {format_number(constant.loss.mean)}; "
            f"the best of the others has {format_number(winner.loss.mean)})."
        )
        said += _group_sentences(trial)
    else:
        said += _group_sentences(trial)
        said.append(_best_sentence(trial, winner, constant, task))
        said += _barely_told_classes(winner, constant)
    if winner.name != LINEAR and trial.against_linear is not None and trial.beats_constant:
        how = {"helps": "measurably better than", "hurts": "measurably worse than"}
        than = how.get(trial.against_linear, "not measurably better or worse than")
        said.append(f"The network is {than} a linear model with tuned L2, which is simpler.")
    elif winner.name == LINEAR and trial.beats_constant:
        said.append("A linear model is enough here: no network did better on the validation rows.")
    if len({one.num_seeds for one in trial.outcomes}) > 1:
        said.append("Some have fewer seeds than others: differences are over the seeds that both have, means are not.")
    if trial.num_seeds < FEWEST_SEEDS:
        seeds = "one seed" if trial.num_seeds == 1 else f"{trial.num_seeds} seeds"
        said.append(f"With {seeds} only large effects show; a larger --budget has more.")
    return said


def _best_sentence(trial: Trial, winner: VariantOutcome, constant: VariantOutcome | None, task: str) -> str:
    settings = settings_text(winner.values)
    said = f"Best on the validation rows: {label_of(winner.name, task)}{f' ({settings})' if settings else ''}"
    said += f", with a test loss of {_interval(winner.loss)}"
    nothing = trial.of(NOTHING)
    if winner.name != NOTHING and nothing is not None:
        said += f" where the network alone has {format_number(nothing.loss.mean)}"
    if constant is not None:
        said += f" and predicting {constant_words(task)} for every row {format_number(constant.loss.mean)}"
    scores = [
        f"{shown} {_interval(score)}{_beside(constant, name, task)}"
        for name, shown in score_titles(task).items()
        if (score := winner.scores.get(name)) is not None and score.mean is not None
    ]
    return f"{said}. {_capitalized('; '.join(scores))}." if scores else f"{said}."


def _barely_told_classes(winner: VariantOutcome, constant: VariantOutcome | None) -> list[str]:
    """A loss below the constant's shows better probabilities; with few rows of a class, hardly ever better answers."""
    of_winner = winner.scores.get("balanced_accuracy")
    of_constant = constant.scores.get("balanced_accuracy") if constant is not None else None
    if of_winner is None or of_constant is None or of_winner.low is None or of_constant.mean is None:
        return []
    if of_winner.low > of_constant.mean:
        return []
    return [
        f"Its probabilities are better than the shares of the classes, but its answers are not: balanced accuracy is "
        f"not measurably above {format_number(of_constant.mean)}. "
        "task.class_weights 'balanced' makes each class count alike."
    ]


def _beside(constant: VariantOutcome | None, score: str, task: str) -> str:
    """The same score of the plainest baseline, in brackets."""
    known = constant.scores.get(score) if constant is not None else None
    return "" if known is None else f" (always {label_of(CONSTANT, task)}: {format_number(known.mean)})"


def _group_sentences(trial: Trial) -> list[str]:
    said = []
    regularizers = [one for one in trial.outcomes if one.role == "regularizer"]
    helping, hurting = trial.named("helps"), trial.named("hurts")
    undecided = [one.name for one in regularizers if _is_undecided(one)]
    rest = [name for name in trial.named("no_measurable_effect") if name not in undecided]
    if helping:
        said.append(f"Measurably better than the network alone: {_listed(helping)}.")
    elif regularizers:
        said.append("No regularizer helps measurably here.")
    if hurting:
        said.append(f"Measurably worse than the network alone: {_listed(hurting)}.")
    if rest and (helping or hurting):
        said.append(f"No measurable effect here: {_listed(rest)}.")
    unlearning = [one.name for one in regularizers if one.note == NO_BETTER_THAN_CONSTANT]
    if unlearning:
        said.append(f"{_capitalized(_listed(unlearning))}: {NO_BETTER_THAN_CONSTANT}.")
    if undecided:
        said.append(
            f"Undecided: {_listed(undecided)}. Alone such a difference would count, as one of several it does not; "
            "more seeds would tell."
        )
    return said


def _is_undecided(one: VariantOutcome) -> bool:
    """Whether its own interval leaves 0 out, although there is no verdict after the correction for all of them."""
    low, high = one.difference.low, one.difference.high
    is_beyond = low is not None and high is not None and low * high > 0
    return is_beyond and one.beats_constant and one.verdict == "no_measurable_effect"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(label_of(name, "") for name in names)


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def _interval(score: Score) -> str:
    if score.low is None or score.high is None or score.low == score.high:  # equal seeds do not show their noise
        return format_number(score.mean)
    return f"{format_number(score.mean)} [{format_number(score.low)}, {format_number(score.high)}]"
