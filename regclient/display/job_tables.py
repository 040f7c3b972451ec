"""Jobs and workers on a terminal."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from rich.markup import escape

from regclient.display.output import format_number, styled_state
from regclient.display.spec_changes import NOTHING, format_setting
from regclient.display.tables import Column, Details, FittedTable
from regclient.display.warning_lines import as_rerun, warning_lines
from regclient.errors import explain_reason


def time_text(at: str | None) -> str:
    """Return a time from the server for people: to the second, and marked as UTC."""
    return f"{at[:19].replace('T', ' ')} UTC" if at else NOTHING


def jobs_table(jobs: Iterable[Mapping[str, Any]]) -> FittedTable:
    """Return a table with a row for each job: id, name, state, time of creation, test loss and accuracy."""
    columns = ids, names, states, created, losses, accuracies = (
        Column("id"),
        Column("name", need=2, folds=True, narrowest_fold=10),
        Column("state", need=1),
        Column("created (UTC)", need=5),
        Column("loss", need=3, is_number=True),
        Column("accuracy", need=4, is_number=True),
    )
    for job in jobs:
        metrics = (job.get("result") or {}).get("metrics") or {}
        ids.cells.append(job["id"])
        names.cells.append(escape(job.get("name") or ""))
        states.cells.append(_state_and_progress(job))
        created.cells.append(time_text(job.get("created_at")).removesuffix(" UTC"))
        losses.cells.append(format_number(metrics.get("test/loss")))
        accuracies.cells.append(format_number(metrics.get("test/accuracy")))
    return FittedTable(columns)


def job_table(
    job: Mapping[str, Any], settings: Mapping[str, str] | None = None, *, settings_title: str = "set"
) -> Details:
    """Return all of a job for people: what it is, its state and the reason, numbers, warnings.

    Args:
        job: The job's JSON.
        settings: Settings of its spec to show, by pointer.
        settings_title: The heading of these settings.
    """
    set_here = [escape(f"{pointer}  {setting}".strip()) for pointer, setting in (settings or {}).items()]
    return details_table(
        [
            *_what_it_is(job),
            *_how_it_goes(job),
            *(("" if index else settings_title, text) for index, text in enumerate(set_here)),
            *((escape(name), escape(format_number(value))) for name, value in _what_came_of_it(job)),
            *warning_lines(job.get("warnings"), partial(as_rerun, job["id"])),
        ]
    )


def workers_table(workers: Iterable[Mapping[str, Any]]) -> FittedTable:
    """Return a table with a row for each slot of each worker: its device, and the jobs that it runs."""
    slots = [(worker, slot) for worker in workers for slot in worker.get("slots") or [{}]]
    seen = [time_text(worker.get("heartbeat_at")).removesuffix(" UTC") for worker, _ in slots]
    return FittedTable(
        [
            Column("id", [worker["id"] for worker, _ in slots]),
            Column("node", [escape(worker.get("node") or NOTHING) for worker, _ in slots], need=1),
            Column("pool", [escape(worker.get("pool") or NOTHING) for worker, _ in slots], need=3),
            Column("state", [escape(worker["state"]) for worker, _ in slots]),
            Column("device", [escape(slot.get("device") or NOTHING) for _, slot in slots], need=2),
            Column("jobs", ["\n".join(slot.get("job_ids") or [NOTHING]) for _, slot in slots], need=4),
            Column("last seen (UTC)", seen, need=5),
        ]
    )


def details_table(rows: Iterable[tuple[str, str]]) -> Details:
    """Return titles and values, one pair a line. Values may have markup."""
    return Details(list(rows))


def labels_text(labels: Mapping[str, str] | None) -> str:
    """Return labels in the form of `--label`."""
    return escape("  ".join(f"{key}:{value}" for key, value in (labels or {}).items())) or NOTHING


def _what_it_is(job: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield "id", job["id"]
    yield "name", escape(job.get("name") or NOTHING)
    yield "labels", labels_text(job.get("labels"))
    if job.get("priority", "normal") != "normal":
        yield "priority", escape(job["priority"])
    if job.get("parent_job_id"):
        yield "parent", escape(job["parent_job_id"])
    if job.get("sweep"):
        yield "sweep", escape(job["sweep"]["id"])
        yield "member", escape(_member_text(job["sweep"]))


def _member_text(sweep: Mapping[str, Any]) -> str:
    variant = [str(sweep["variant"])] if sweep.get("variant") else []
    values = [f"{pointer} = {format_setting(value)}" for pointer, value in (sweep.get("values") or {}).items()]
    return ", ".join([*variant, *values, f"seed {sweep.get('seed', NOTHING)}"])


def _how_it_goes(job: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    progress = job.get("progress") or {}
    yield "state", styled_state(job["state"])
    if job.get("state_reason"):
        yield "reason", escape(explain_reason(job["state_reason"]))
    yield "progress", f"epoch {progress.get('epoch', 0)} of {progress.get('num_epochs', '?')}"
    yield "attempt", str(job.get("attempt", NOTHING))
    for field in ("created_at", "started_at", "finished_at"):
        yield field.removesuffix("_at"), time_text(job.get(field))


def _what_came_of_it(job: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    result = job.get("result") or {}
    yield from (result.get("metrics") or {}).items()
    for name in ("generalization_gap", "sparsity", "num_parameters", "weights_sha256"):
        if name in result:
            yield name, result[name]


def _state_and_progress(job: Mapping[str, Any]) -> str:
    state: str = job["state"]
    fraction = (job.get("progress") or {}).get("fraction")
    return f"{styled_state(state)} {100 * fraction:.0f} %" if fraction and state != "succeeded" else styled_state(state)
