"""What a trial prints: the data as they were read, the verdicts, and what to do next."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape

from regclient.cli.trial_run import Combination, Round
from regclient.datasets import Header
from regclient.display.output import err, out
from regclient.display.trial_tables import verdicts_table
from regclient.display.trial_words import label_of, trial_sentences
from regclient.display.variant_verdicts import Score, Trial, VariantVerdict
from regclient.http.answers import JSONObject

MAX_CLASSES_SHOWN = 10


def print_seen(checked: JSONObject, name: str) -> None:
    """Print what the server makes of the data: rows, features, classes, findings."""
    plan = checked["plan"]
    rows = plan["num_rows"]
    classes = plan.get("classes") or []
    shown = ", ".join(map(str, classes[:MAX_CLASSES_SHOWN])) + (", …" if len(classes) > MAX_CLASSES_SHOWN else "")
    what = f"{len(classes)} classes: {shown}" if classes else "a regression"
    width = plan["input_shape"][-1] if plan.get("input_shape") else "?"
    err.print(
        f"{escape(name)}: {sum(rows.values()):,} rows ({rows['train']:,} train, {rows['validation']:,} validation, "
        f"{rows['test']:,} test), {width} inputs, {escape(what)}",
        highlight=False,
    )
    for warning in checked["warnings"]:
        if warning["code"] not in _OF_THE_PROBE:
            err.print(f"[yellow]{escape(warning['message'])}[/] {escape(warning['remedy'])}", highlight=False)


_OF_THE_PROBE = frozenset({"rate_too_small", "no_test_rows"})
"""Warnings that concern the linear model by which the data were checked, and not the data."""


def print_trial(rounds: Sequence[Round], combination: Combination | None, task: str, target: str) -> None:
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
        return
    for sentence in summary(trial, combination, task, target):
        out.print(sentence, markup=False, highlight=False)
    out.print(verdicts_table(trial, task))


def summary(trial: Trial, combination: Combination | None, task: str, target: str) -> list[str]:
    """Return what was found, in sentences."""
    said = trial_sentences(trial, task, target)
    if combination is not None:
        how = {
            "helps": "do measurably better together than",
            "hurts": "do measurably worse together than",
        }.get(combination.verdict, "show no measurable difference together to")
        both = combination.name.replace(" + ", " and ").replace("_", " ")
        said.append(f"{both.capitalize()} {how} {label_of(combination.alone, task)} alone.")
    return said


def print_next_steps(spec_file: Path, picture: Path, job_id: str, file: str, *, is_own: bool) -> None:
    """Print where the picture and the spec are, and how to go on."""
    rows = "rows.csv" if file.startswith("builtin:") else shlex.quote(file)
    out.print(f"Picture: {escape(str(picture))}   Spec: {escape(str(spec_file))}", highlight=False)
    if is_own:
        out.print("Start a server, here and in a terminal of its own:  regcore up", highlight=False)
    out.print(f"Predict with the best model:  regcore predict {job_id} {escape(rows)}", highlight=False, soft_wrap=True)
    quoted = escape(shlex.quote(str(spec_file)))
    out.print(f"Train it again, or change it:  regcore submit {quoted} --follow", highlight=False, soft_wrap=True)


def best_spec(resolved: JSONObject, file: str, header: Header, stem: str) -> JSONObject:
    """Return a job's spec, ready to be submitted again: with the file in place of the uploaded data set."""
    data = resolved["data"]
    if data["kind"] == "dataset":
        place = {"kind": "file", "path": file, **({} if header == "auto" else {"header": header})}
        data = {**place, **{name: value for name, value in data.items() if name not in ("kind", "id")}}
    return {**resolved, "name": f"best on {stem}"[:200], "data": data}


def as_json_object(
    rounds: Sequence[Round],
    combination: Combination | None,
    checked: JSONObject,
    data: JSONObject,
    job_id: str | None,
    spec_file: Path | None,
    picture: Path | None,
) -> JSONObject:
    """Return all of it for programs."""
    plan, trial = checked["plan"], rounds[0].trial
    target = data.get("target") or "the target"
    winner = trial.winner if trial is not None else None
    return {
        "data": data,
        "task": plan["task"],
        "classes": plan.get("classes"),
        "num_rows": plan["num_rows"],
        "warnings": checked["warnings"],
        "sweep_ids": [one.sweep.id for one in rounds],
        "metric": trial.metric if trial is not None else None,
        "beats_baseline": trial.beats_constant if trial is not None else None,
        "summary": summary(trial, combination, plan["task"], target) if trial is not None else [],
        "verdicts": [_verdict(one) for one in trial.verdicts] if trial is not None else [],
        "winner": winner.name if winner is not None else None,
        "combination": None
        if combination is None
        else {
            "name": combination.name,
            "baseline": combination.alone,
            "verdict": combination.verdict,
            "difference": dict(combination.difference),
        },
        "job_id": job_id,
        "spec_file": None if spec_file is None else str(spec_file),
        "picture": None if picture is None else str(picture),
        "complete": all(one.cut is None for one in rounds),
    }


def _verdict(one: VariantVerdict) -> dict[str, Any]:
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
