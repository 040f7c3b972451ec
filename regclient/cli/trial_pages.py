"""What a trial prints: the data as they were read, the verdicts, and what to do next."""

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from regclient.cli.trial_run import Combination, Round
from regclient.datasets import Header
from regclient.display.output import err, out
from regclient.display.trial_tables import outcomes_table
from regclient.display.trial_words import label_of, trial_sentences
from regclient.display.variant_outcomes import Score, Trial, VariantOutcome
from regclient.http.answers import JSONObject

MAX_CLASSES_SHOWN = 10
_IMAGE_AXES = 3
_COLOURS = {1: "grey", 3: "coloured"}
"""By the number of channels."""


@dataclass(frozen=True)
class Subject:
    """What is tried.

    Attributes:
        file: As it was given.
        header: Whether its first row has names.
        stem: What its picture and spec are called.
        data: The `data` of a spec.
        checked: The server's answer to a linear model on it: `{resolved_spec, plan, warnings}`.
    """

    file: str
    header: Header
    stem: str
    data: JSONObject
    checked: JSONObject

    @property
    def name(self) -> str:
        """What it is called where it is shown: the stem without its folder."""
        return Path(self.stem).name

    @property
    def task(self) -> str:
        """The kind of the task, such as `classification`."""
        return str(self.checked["plan"]["task"])

    @property
    def target(self) -> str:
        """What is predicted, in words."""
        return str(self.data.get("target") or "the target")


@dataclass(frozen=True)
class Left:
    """What a trial leaves.

    Attributes:
        job_id: The best model's job.
        spec_file: Its spec.
        picture: The verdicts, drawn.
    """

    job_id: str
    spec_file: Path
    picture: Path


def print_seen(subject: Subject, said: Collection[str]) -> None:
    """Print what the server makes of the data: rows, features, classes, findings.

    Args:
        subject: What is tried.
        said: Findings that were printed when the file was read.
    """
    plan = subject.checked["plan"]
    rows, classes = plan["num_rows"], plan.get("classes") or []
    shown = ", ".join(map(str, classes[:MAX_CLASSES_SHOWN])) + (", …" if len(classes) > MAX_CLASSES_SHOWN else "")
    err.print(
        f"{subject.name}: {sum(rows.values()):,} rows ({rows['train']:,} train, {rows['validation']:,} validation, "
        f"{rows['test']:,} test), {_inputs(plan)}, "
        + (f"{len(classes):,} classes: {shown}" if classes else f"a {subject.task}"),
        markup=False,
        highlight=False,
    )
    for warning in subject.checked["warnings"]:
        if warning["code"] not in _OF_THE_PROBE and warning["message"] not in said:
            print_warning(warning)


def _inputs(plan: JSONObject) -> str:
    """What a row holds, in words."""
    shape = plan["input_shape"]
    if plan.get("tokens"):
        return f"texts of up to {shape[0]:,} tokens (a vocabulary of {plan['tokens']:,})"
    if plan.get("varies"):
        return f"up to {shape[0]:,} steps of {'×'.join(map(str, shape[1:]))} values"
    if len(shape) == _IMAGE_AXES and shape[0] in _COLOURS:
        return f"{_COLOURS[shape[0]]} images of {shape[1]:,}×{shape[2]:,}"
    return f"{shape[0]:,} inputs" if len(shape) == 1 else f"inputs of {'×'.join(map(str, shape))}"


def print_warning(warning: Mapping[str, Any]) -> None:
    """Print a finding with its remedy."""
    said = f"{warning.get('message', '')} {warning.get('remedy') or ''}".strip()
    err.print(f"[yellow]Note:[/] {escape(said)}", highlight=False)


_OF_THE_PROBE = frozenset({"rate_too_small", "no_test_rows"})
"""Warnings that concern the linear model by which the data were checked, and not the data."""


def print_trial(rounds: Sequence[Round], combination: Combination | None, subject: Subject) -> None:
    """Print the verdict: in sentences, then as a table."""
    for one in rounds:
        if one.cut is not None:
            why = "Interrupted" if isinstance(one.cut, KeyboardInterrupt) else "The budget is used up"
            counts = one.sweep.counts
            out.print(
                f"[yellow]{why}: {counts.get('succeeded', 0):,} of {one.sweep.num_members:,} trainings had ended; the "
                "rest was cancelled.[/]",
                highlight=False,
            )
    trial = rounds[0].trial
    if trial is None:
        out.print(
            "Too little was trained to its end for a verdict. Give a larger --budget; if other jobs keep the server "
            "busy (regcore jobs), wait until they have ended.",
            highlight=False,
        )
        return
    for sentence in summary(trial, combination, subject):
        out.print(sentence, markup=False, highlight=False)
    out.print(outcomes_table(trial, subject.task))


def summary(trial: Trial, combination: Combination | None, subject: Subject) -> list[str]:
    """Return what was found, in sentences."""
    said = trial_sentences(trial, subject.task, subject.target)
    if combination is not None:
        how = {"helps": "measurably better than", "hurts": "measurably worse than"}
        than = how.get(combination.verdict, "not measurably better or worse than")
        both = label_of(combination.name, subject.task).replace(" + ", " and ")
        said.append(f"Together, {both} are {than} {label_of(combination.alone, subject.task)} alone.")
    return said


def print_next_steps(left: Left, subject: Subject, *, is_own: bool) -> None:
    """Print where the picture and the spec are, and how to go on."""
    rows = "rows.csv" if subject.file.startswith("builtin:") else shlex.quote(subject.file)
    out.print(f"Picture: {escape(str(left.picture))}   Spec: {escape(str(left.spec_file))}", highlight=False)
    if is_own:
        out.print("Start a server, here and in a terminal of its own:  regcore up", highlight=False)
    if not subject.file.startswith("builtin:") or len(subject.checked["plan"]["input_shape"]) == 1:
        out.print(
            f"Predict with the best model:  regcore predict {left.job_id} {escape(rows)}",
            highlight=False,
            soft_wrap=True,
        )
    quoted = escape(shlex.quote(str(left.spec_file)))
    out.print(f"Train it again, or change it:  regcore submit {quoted} --follow", highlight=False, soft_wrap=True)


def best_spec(resolved: JSONObject, subject: Subject) -> JSONObject:
    """Return a job's spec, ready to be submitted again: with the file in place of the uploaded data set."""
    data = resolved["data"]
    if data["kind"] == "dataset":
        header = {} if subject.header == "auto" else {"header": subject.header}
        place = {"kind": "file", "path": subject.file, **header}
        data = {**place, **{name: value for name, value in data.items() if name not in ("kind", "id")}}
    return {**resolved, "name": f"best on {subject.name}"[:200], "data": data}


def as_json_object(
    rounds: Sequence[Round], combination: Combination | None, subject: Subject, left: Left | None
) -> JSONObject:
    """Return all of it for programs."""
    plan, trial = subject.checked["plan"], rounds[0].trial
    winner = trial.winner if trial is not None else None
    return {
        "data": subject.data,
        "task": subject.task,
        "classes": plan.get("classes"),
        "num_rows": plan["num_rows"],
        "warnings": subject.checked["warnings"],
        "sweep_ids": [one.sweep.id for one in rounds],
        "metric": trial.metric if trial is not None else None,
        "beats_baseline": trial.beats_constant if trial is not None else None,
        "summary": summary(trial, combination, subject) if trial is not None else [],
        "verdicts": [_outcome(one) for one in trial.outcomes] if trial is not None else [],
        "winner": winner.name if winner is not None else None,
        "combination": None
        if combination is None
        else {
            "name": combination.name,
            "baseline": combination.alone,
            "verdict": combination.verdict,
            "difference": dict(combination.difference),
        },
        "job_id": None if left is None else left.job_id,
        "spec_file": None if left is None else str(left.spec_file),
        "picture": None if left is None else str(left.picture),
        "complete": all(one.cut is None for one in rounds),
    }


def _outcome(one: VariantOutcome) -> dict[str, Any]:
    return {
        "name": one.name,
        "role": one.role,
        "verdict": one.verdict,
        "difference": {"value": one.difference.mean, "low": one.difference.low, "high": one.difference.high},
        "p_value_corrected": one.p_value,
        "loss": _score(one.loss),
        "scores": {name: _score(score) for name, score in one.scores.items()},
        "values": dict(one.values),
        "num_seeds": one.num_seeds,
        "beats_constant": one.beats_constant,
        "note": one.note,
    }


def _score(score: Score) -> dict[str, float | None]:
    return {"mean": score.mean, "low": score.low, "high": score.high}
