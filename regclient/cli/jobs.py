"""The commands that make, list and end jobs: submit, rerun, jobs, pause, resume, cancel, delete."""

import sys
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Annotated, NoReturn

import typer

from regclient.cli.following import following, making
from regclient.cli.ids import find_dataset_id, find_id, find_job_id, find_sweep_id, is_sweep_id
from regclient.cli.json_input import read_patch, read_spec
from regclient.cli.options import (
    LOOK,
    STOP,
    TRAIN,
    AsJSON,
    EitherArgument,
    Follow,
    JobArgument,
    Key,
    Seeds,
    Settings,
    TimeoutS,
    add_commands,
    open_client,
    print_cut,
    print_none,
    print_state,
    upload_data,
)
from regclient.cli.spec_settings import change_spec, is_sweep_spec, patch_of_settings
from regclient.cli.sweep_pages import show_or_follow_sweep
from regclient.client import Client
from regclient.display.job_tables import details_table, job_table, jobs_table
from regclient.display.output import err, out, print_error, print_json
from regclient.display.progress import JobLines
from regclient.display.terminal import given_text
from regclient.display.warning_lines import as_rerun, warning_lines
from regclient.errors import APIError
from regclient.handle import Run
from regclient.job import Job


class StartFrom(StrEnum):
    """The values of --start-from: what a rerun starts with."""

    SCRATCH = "scratch"
    WEIGHTS = "weights"
    CHECKPOINT = "checkpoint"


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    add_commands(
        app,
        {
            submit: TRAIN,
            rerun: TRAIN,
            jobs: LOOK,
            pause: STOP,
            resume: STOP,
            cancel: STOP,
            delete: STOP,
        },
    )


def submit(
    spec: Annotated[str, typer.Argument(metavar="SPEC.json", help="A job spec, or - for stdin.")],
    settings: Settings = None,
    seeds: Seeds = None,
    follow: Follow = False,
    timeout_s: TimeoutS = None,
    idempotency_key: Key = None,
    as_json: AsJSON = False,
) -> None:
    """Submit a job, or with --seeds a sweep of it.

    A file that `data` names is uploaded first, unless the server has it already; its path starts at the spec's folder,
    or here. --set takes a path with dots (regularizers.0.strength=1e-3) or a JSON Pointer, and a value that is JSON or
    text.
    """
    body = read_spec(spec)
    if is_sweep_spec(body):
        raise typer.BadParameter(f"{spec} is the spec of a sweep: it has a base. `regcore sweep {spec}` submits it.")
    body = change_spec(body, settings or [], seeds)
    with open_client(timeout_s) as client:
        body = upload_data(client, body, as_json=as_json)
        if is_sweep_spec(body):
            with making("sweep"):
                sweep = client.sweeps.create(body, idempotency_key=idempotency_key)
            show_or_follow_sweep(sweep, follow=follow, timeout_s=timeout_s, as_json=as_json)
            return
        with making("job"):
            job = client.jobs.create(body, idempotency_key=idempotency_key)
        _show_or_follow(job, follow=follow, timeout_s=timeout_s, as_json=as_json)


def rerun(
    job: JobArgument,
    settings: Settings = None,
    patch: Annotated[
        str, typer.Option(metavar="FILE.json|JSON", show_default=False, help="A JSON Patch; - for stdin.")
    ] = "[]",
    start_from: Annotated[
        StartFrom,
        typer.Option(
            metavar="WHERE",
            help="scratch; weights: those it ended with; checkpoint: continue from its last one.",
        ),
    ] = StartFrom.SCRATCH,
    follow: Follow = False,
    timeout_s: TimeoutS = None,
    idempotency_key: Key = None,
    as_json: AsJSON = False,
) -> None:
    """Submit a job again, changed by --set, or by a JSON Patch of its resolved_spec.

    --set takes a path with dots (regularizers.0.strength=1e-3) or a JSON Pointer, and a value that is JSON or text; it
    comes after --patch.
    """
    operations = read_patch(patch)
    with open_client(timeout_s) as client:
        job_id = find_job_id(client, job)
        if settings:
            operations = patch_of_settings(client.jobs.get(job_id).resolved_spec, operations, settings)
        with making("job"):
            again = client.jobs.rerun(job_id, operations, start_from.value, idempotency_key=idempotency_key)
        _show_or_follow(again, follow=follow, timeout_s=timeout_s, as_json=as_json)


def jobs(
    state: Annotated[list[str] | None, typer.Option(help="Only this state; may be given again.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="Only jobs with this key:value; may be given again.")] = None,
    name: Annotated[str | None, typer.Option(help="Only this name.")] = None,
    sweep: Annotated[str | None, typer.Option(metavar="SWEEP", help="Only this sweep's members.")] = None,
    dataset: Annotated[str | None, typer.Option(metavar="DATASET", help="Only those that train on this table.")] = None,
    sort: Annotated[
        str, typer.Option(help="created_at, finished_at or name; -created_at and -finished_at: the newest first.")
    ] = "-created_at",
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 20,
    as_json: AsJSON = False,
) -> None:
    """List jobs, the newest first."""
    with open_client() as client:
        found = client.jobs.list(
            state=state,
            labels=read_labels(label) if label else None,
            name=name and given_text(name),
            sweep_id=None if sweep is None else find_sweep_id(client, sweep),
            dataset_id=None if dataset is None else find_dataset_id(client, dataset),
            sort=sort,
            page_size=min(limit + 1, 1000),
        )
        bodies = [job.body for job in islice(found, limit + 1)]
    if as_json:
        print_json(bodies[:limit])
    elif bodies:
        out.print(jobs_table(bodies[:limit]))
        print_cut(len(bodies), limit, newest_first=sort == "-created_at")
    else:
        print_none("jobs", "regcore submit SPEC.json", is_filtered=any((state, label, name, sweep, dataset)))


def pause(job: JobArgument, as_json: AsJSON = False) -> None:
    """Pause a job: it saves a checkpoint and frees its worker."""
    with open_client() as client:
        print_state(client.jobs.pause(find_job_id(client, job)), as_json=as_json)


def resume(job: JobArgument, as_json: AsJSON = False) -> None:
    """Resume a paused job: it goes on from its checkpoint."""
    with open_client() as client:
        print_state(client.jobs.resume(find_job_id(client, job)), as_json=as_json)


def cancel(job_or_sweep: EitherArgument, as_json: AsJSON = False) -> None:
    """Cancel a job, or all members of a sweep.

    It ends within about two seconds.
    """
    with open_client() as client:
        found_id = find_id(client, job_or_sweep)
        found: Run = client.sweeps.cancel(found_id) if is_sweep_id(found_id) else client.jobs.cancel(found_id)
        print_state(found, as_json=as_json)


def delete(
    jobs_or_sweeps: Annotated[
        list[str],
        typer.Argument(
            metavar="JOB|SWEEP",
            help="Jobs and sweeps that have ended: their ids, the beginnings of some, names, or `last`.",
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Delete jobs and sweeps that have ended, with all that they made.

    All are looked up before the first is deleted. Those that cannot be deleted are named; the others are deleted.
    """
    with open_client() as client:
        found = list(dict.fromkeys(find_id(client, one) for one in jobs_or_sweeps))
        if not yes:
            ask_to_delete([_described(client, one) for one in found])
        deleted: list[str] = []
        refused: list[APIError] = []
        for one in found:
            try:
                client.sweeps.delete(one) if is_sweep_id(one) else client.jobs.delete(one)
                deleted.append(one)
            except APIError as error:
                refused.append(error)
    if as_json:
        print_json([{"id": one, "deleted": True} for one in deleted])
    else:
        for one in deleted:
            out.print(f"{one}  deleted", highlight=False)
    if refused:
        for said in refused[:-1]:
            print_error(said, as_json=as_json)
        raise refused[-1]


def ask_to_delete(descriptions: list[str]) -> None:
    """Ask at the terminal whether to delete what is described.

    Raises:
        typer.BadParameter: There is no terminal.
        typer.Abort: The answer is no.
    """
    if not sys.stdin.isatty():
        raise typer.BadParameter("Deleting cannot be undone, and there is no terminal to ask at: give --yes.")
    for description in descriptions:
        err.print(description, markup=False, highlight=False, soft_wrap=True)
    typer.confirm("Delete these for good?", abort=True, err=True)


def _described(client: Client, found_id: str) -> str:
    if is_sweep_id(found_id):
        sweep = client.sweeps.get(found_id)
        return f"{sweep.id}  {sweep.state}  {sweep.name or ''}  with its {sweep.num_members:,} jobs"
    job = client.jobs.get(found_id)
    return f"{job.id}  {job.state}  {job.name or ''}".rstrip()


def read_labels(pairs: list[str]) -> dict[str, str]:
    """Return labels that were given as `key:value`."""
    for pair in pairs:
        if ":" not in pair:
            raise typer.BadParameter(f"--label: expected key:value, received {pair!r}.")
    return dict(given_text(pair).split(":", 1) for pair in pairs)


def _show_or_follow(job: Job, *, follow: bool, timeout_s: float | None, as_json: bool) -> None:
    if follow:
        follow_job(job, timeout_s=timeout_s, as_json=as_json)
    print_state(job, as_json=as_json)
    if job.body.get("warnings") and not as_json:
        err.print(details_table(warning_lines(job.warnings, partial(as_rerun, job.id))))


def follow_job(job: Job, *, timeout_s: float | None, as_json: bool) -> NoReturn:
    """Wait until a job has ended, print it, and exit with 0 if it succeeded, else 1."""
    lines = JobLines(err, lambda _, after: job.latest_metrics(after=after))
    with following(job):
        job.wait(timeout_s, progress=False if as_json else err.is_live or lines.show, check=False)
    print_json(job.body) if as_json else out.print(job_table(job.body))
    raise typer.Exit(0 if job.state == "succeeded" else 1)
