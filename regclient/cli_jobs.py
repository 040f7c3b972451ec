"""The commands about jobs: submit, jobs, show, watch, cancel, pause, resume, rerun, download."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.markup import escape

from regclient.client import Client
from regclient.errors import IntegrityError, KeyInClearWarning
from regclient.following import following, making
from regclient.handle import Handle
from regclient.job import Job
from regclient.json_input import read_object, read_patch
from regclient.output import err, event_line, jobs_table, out, print_job, print_json
from regclient.progress import JobLines

# A person waits at a prompt: about a second and a half of retries, then the truth.
CLI_MAX_RETRIES = 3

AsJSON = Annotated[bool, typer.Option("--json", help="JSON on stdout, for programs.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="A job's id, `job_…`.")]
TimeoutS = Annotated[
    float | None, typer.Option("--timeout", "--timeout-s", min=0, help="Seconds to wait; then exit code 124.")
]
Follow = Annotated[bool, typer.Option("--follow", help="Wait for the end, with a progress bar.")]
Key = Annotated[
    str | None, typer.Option("--idempotency-key", help="Give the same key again and you get the same again.")
]


class StartFrom(StrEnum):
    """Where a rerun begins."""

    SCRATCH = "scratch"
    WEIGHTS = "weights"
    CHECKPOINT = "checkpoint"


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (submit, jobs, show, watch, cancel, pause, resume, rerun, download):
        app.command()(command)


def submit(
    spec: Annotated[str, typer.Argument(metavar="SPEC.json", help="A job spec, or - for stdin.")],
    follow: Follow = False,
    timeout_s: TimeoutS = None,
    idempotency_key: Key = None,
    as_json: AsJSON = False,
) -> None:
    """Submit a job."""
    body = read_object(spec)
    with open_client(timeout_s) as client:
        with making("job"):
            job = client.jobs.create(body, idempotency_key=idempotency_key)
        _show_or_follow(job, follow=follow, timeout_s=timeout_s, as_json=as_json)


def jobs(
    state: Annotated[list[str] | None, typer.Option(help="Only this state; may be given again.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="Only jobs with this key:value; may be given again.")] = None,
    name: Annotated[str | None, typer.Option(help="Only this name.")] = None,
    sweep_id: Annotated[str | None, typer.Option("--sweep", help="Only this sweep's members.")] = None,
    sort: Annotated[
        str, typer.Option(help="created_at, finished_at (- before it: newest first) or name.")
    ] = "-created_at",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJSON = False,
) -> None:
    """List jobs, the newest first."""
    with open_client() as client:
        found = client.jobs.list(
            state=state,
            labels=_labels(label) if label else None,
            name=name,
            sweep_id=sweep_id,
            sort=sort,
            page_size=min(limit, 1000),
        )
        bodies = [job.body for job, _ in zip(found, range(limit), strict=False)]
    if as_json:
        print_json(bodies)
    elif bodies:
        out.print(jobs_table(bodies, width=out.width))
    else:
        out.print("No jobs. `regcore submit SPEC.json` makes one.", highlight=False)


def show(job_id: JobId, as_json: AsJSON = False) -> None:
    """Show one job."""
    with open_client() as client:
        job = client.jobs.get(job_id)
    print_json(job.body) if as_json else print_job(job.body)


def watch(job_id: JobId, timeout_s: TimeoutS = None, as_json: AsJSON = False) -> None:
    """Follow a job to its end: a progress bar on a terminal, else its records, one a line."""
    with open_client(timeout_s) as client:
        job = client.jobs.get(job_id)
        if timeout_s is not None or (not as_json and out.is_live and err.is_live):
            _follow(job, timeout_s=timeout_s, as_json=as_json)
        with following(job):
            for event in job.events():
                print_json(event) if as_json else out.print(event_line(event), highlight=False, soft_wrap=True)
            job.refresh()
        _exit_with(job)


def cancel(
    job_id: Annotated[str, typer.Argument(metavar="JOB|SWEEP", help="A job's id, or a sweep's.")],
    as_json: AsJSON = False,
) -> None:
    """Cancel a job, or all members of a sweep; it ends within about two seconds."""
    with open_client() as client:
        found: Handle = client.sweeps.cancel(job_id) if job_id.startswith("swp_") else client.jobs.cancel(job_id)
        print_state(found, as_json=as_json)


def pause(job_id: JobId, as_json: AsJSON = False) -> None:
    """Pause a job: it saves a checkpoint and frees its worker."""
    with open_client() as client:
        print_state(client.jobs.pause(job_id), as_json=as_json)


def resume(job_id: JobId, as_json: AsJSON = False) -> None:
    """Resume a paused job: it goes on from its checkpoint."""
    with open_client() as client:
        print_state(client.jobs.resume(job_id), as_json=as_json)


def rerun(
    job_id: JobId,
    patch: Annotated[
        str, typer.Option(metavar="FILE.json|JSON", help="JSON Patch of the job's resolved_spec; - for stdin.")
    ] = "[]",
    start_from: Annotated[
        StartFrom,
        typer.Option(help="scratch; weights: with those it ended with; checkpoint: on from where it was saved last."),
    ] = StartFrom.SCRATCH,
    follow: Follow = False,
    timeout_s: TimeoutS = None,
    idempotency_key: Key = None,
    as_json: AsJSON = False,
) -> None:
    """Submit a job again, changed by a patch."""
    operations = read_patch(patch)
    with open_client(timeout_s) as client:
        with making("job"):
            job = client.jobs.rerun(job_id, operations, start_from.value, idempotency_key=idempotency_key)
        _show_or_follow(job, follow=follow, timeout_s=timeout_s, as_json=as_json)


def download(
    job_id: JobId,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these files.")] = None,
    directory: Annotated[Path | None, typer.Option("--dir", help="Where to; default ./JOB.")] = None,
    as_json: AsJSON = False,
) -> None:
    """Download a job's artifacts, each checked against its SHA-256; damaged ones are named, and the others saved."""
    with open_client() as client:
        try:
            _print_paths(client.jobs.get(job_id).download(directory or Path(job_id), names or None), as_json=as_json)
        except FileNotFoundError as error:
            raise typer.BadParameter(str(error)) from None
        except IntegrityError as error:
            _print_paths(error.saved, as_json=as_json)
            raise


def _print_paths(paths: Sequence[Path], *, as_json: bool) -> None:
    if as_json:
        print_json([str(path) for path in paths])
    else:
        for path in paths:
            out.print(str(path), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def open_client(timeout_s: float | None = None) -> Iterator[Client]:
    """The client of every command.

    Args:
        timeout_s: The command's `--timeout`, which bounds all that it asks, its first request too.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", KeyInClearWarning)
        client = Client(max_retries=CLI_MAX_RETRIES)
    for warning in caught:
        err.print(f"[yellow]Warning:[/] {escape(str(warning.message))}", highlight=False, soft_wrap=True)
    with client, client.deadline(timeout_s):
        yield client


def print_state(found: Handle, *, as_json: bool) -> None:
    """What was done to a job or sweep has come to this."""
    print_json(found.body) if as_json else out.print(f"{found.id}  {found.state}", highlight=False)


def _labels(pairs: list[str]) -> dict[str, str]:
    for pair in pairs:
        if ":" not in pair:
            raise typer.BadParameter(f"--label: expected key:value, received {pair!r}.")
    return dict(pair.split(":", 1) for pair in pairs)


def _show_or_follow(job: Job, *, follow: bool, timeout_s: float | None, as_json: bool) -> None:
    if follow:
        _follow(job, timeout_s=timeout_s, as_json=as_json)
    print_state(job, as_json=as_json)


def _follow(job: Job, *, timeout_s: float | None, as_json: bool) -> NoReturn:
    """Wait for the end and show it."""
    lines = JobLines(err, lambda _, after: job.latest_metrics(after=after))
    with following(job):
        job.wait(timeout_s, progress=False if as_json else err.is_live or lines.show)
    print_json(job.body) if as_json else print_job(job.body)
    _exit_with(job)


def _exit_with(job: Job) -> NoReturn:
    raise typer.Exit(0 if job.state == "succeeded" else 1)
