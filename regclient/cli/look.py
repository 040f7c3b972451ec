"""The commands that read: a spec (validate), a job or a sweep (show, watch), a job alone (logs, report, download), and
the workers.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from regclient.cli.following import following
from regclient.cli.ids import find_id, find_job_id, is_sweep_id
from regclient.cli.jobs import follow_job
from regclient.cli.json_input import read_spec
from regclient.cli.options import (
    LOOK,
    SERVERS,
    TRAIN,
    AsJSON,
    EitherArgument,
    JobArgument,
    Seeds,
    Settings,
    TimeoutS,
    add_commands,
    open_client,
    upload_data,
)
from regclient.cli.spec_settings import change_spec, is_sweep_spec
from regclient.cli.sweep_pages import print_facts, show_or_follow_sweep, show_sweep
from regclient.client import Client
from regclient.display.job_tables import details_table, job_table, workers_table
from regclient.display.output import err, event_line, format_number, out, print_json
from regclient.display.report_tables import report_parts
from regclient.display.spec_changes import changes_between, settings_of
from regclient.display.warning_lines import as_settings, warning_lines
from regclient.errors import IntegrityError, NotFoundError
from regclient.job import Job

_SPOKEN = frozenset({"log", "warning"})
"""The kinds of records that `logs` prints."""


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    add_commands(
        app,
        {
            validate: TRAIN,
            show: LOOK,
            watch: LOOK,
            logs: LOOK,
            report: LOOK,
            download: LOOK,
            workers: SERVERS,
        },
    )


def validate(
    spec: Annotated[str, typer.Argument(metavar="SPEC.json", help="A spec of a job or of a sweep, or - for stdin.")],
    settings: Settings = None,
    seeds: Seeds = None,
    as_json: AsJSON = False,
) -> None:
    """Check a spec and print what it would train; no job is stored.

    A file that `data` names is uploaded. If the server refuses the spec, the exit code is 5. Both are as for submit.
    """
    body = change_spec(read_spec(spec), settings or [], seeds)
    is_sweep = is_sweep_spec(body)
    with open_client() as client:
        body = upload_data(client, body, as_json=as_json)
        checked = client.sweeps.validate(body) if is_sweep else client.jobs.validate(body)
    if as_json:
        print_json(checked)
    else:
        out.print(details_table(_sweep_facts(checked) if is_sweep else _job_facts(body, checked)))


def show(job_or_sweep: EitherArgument, as_json: AsJSON = False) -> None:
    """Show a job or a sweep.

    Its labels, state and results, and what its spec sets; for a rerun, what differs from its parent's spec.
    """
    with open_client() as client:
        found_id = find_id(client, job_or_sweep)
        if not is_sweep_id(found_id):
            _show_job(client, client.jobs.get(found_id), as_json=as_json)
            return
        sweep = client.sweeps.get(found_id)
        if not as_json:
            print_facts(sweep)
        show_sweep(sweep, as_json=as_json)


def watch(job_or_sweep: EitherArgument, timeout_s: TimeoutS = None, as_json: AsJSON = False) -> None:
    """Follow a job or a sweep to its end.

    A progress bar on a terminal, elsewhere a job's records, one a line. Exit code 1 if it fails or is cancelled.
    """
    with open_client(timeout_s) as client:
        found_id = find_id(client, job_or_sweep)
        if is_sweep_id(found_id):
            show_or_follow_sweep(client.sweeps.get(found_id), follow=True, timeout_s=timeout_s, as_json=as_json)
        job = client.jobs.get(found_id)
        if timeout_s is not None or (not as_json and out.is_live and err.is_live):
            follow_job(job, timeout_s=timeout_s, as_json=as_json)
        with following(job):
            for event in job.events():
                print_json(event) if as_json else out.print(event_line(event), highlight=False, soft_wrap=True)
            job.refresh()
        raise typer.Exit(0 if job.state == "succeeded" else 1)


def logs(
    job: JobArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Print a job's log and its warnings.

    The exit code is 0 however the job ended; watch has one that tells.
    """
    with open_client() as client:
        seen = client.jobs.get(find_job_id(client, job))
        num_lines = 0
        for event in seen.events(follow=follow):
            if event["kind"] in _SPOKEN:
                num_lines += 1
                _print_log(event, as_json=as_json)
        if not num_lines and not as_json:
            err.print(f"{seen.id} has written nothing yet; it is {seen.state}.", highlight=False)


def report(job: JobArgument, as_json: AsJSON = False) -> None:
    """Print a job's report.

    Metrics with their intervals, the gap, calibration, and what each regularizer did.
    """
    with open_client() as client:
        job_id = find_job_id(client, job)
        found = client.jobs.get(job_id).report()
    if as_json:
        print_json(found)
    else:
        for part in report_parts(found, job_id):
            out.print(part)


def download(
    job: JobArgument,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these files.")] = None,
    directory: Annotated[Path | None, typer.Option("--dir", help="The folder to write to. [default: ./JOB]")] = None,
    as_json: AsJSON = False,
) -> None:
    """Download a job's artifacts.

    Each is checked against its SHA-256. Damaged ones are named; the others are saved.
    """
    with open_client() as client:
        found = client.jobs.get(find_job_id(client, job))
        try:
            paths = found.download(directory or Path(found.id), names or None)
        except FileNotFoundError as error:
            if error.filename is not None:  # not of the server's files, but of those here
                raise
            raise typer.BadParameter(str(error)) from None
        except IntegrityError as error:
            _print_paths(error.saved, as_json=as_json)
            raise
        _print_paths(paths, as_json=as_json)
        if not paths and not as_json:
            err.print(f"{found.id} has no artifacts yet; it is {found.state}.", highlight=False)


def workers(as_json: AsJSON = False) -> None:
    """List the workers and the jobs that they run."""
    with open_client() as client:
        found = client.workers()
    if as_json:
        print_json(found)
    elif found:
        out.print(workers_table(found))
    else:
        out.print("No worker. `regcore up` starts one, `regcore worker` one alone.", highlight=False)


def _show_job(client: Client, job: Job, *, as_json: bool) -> None:
    if as_json:
        print_json(job.body)
        return
    parent = _parent_of(client, job)
    if parent is None:
        out.print(job_table(job.body, settings_of(job.body.get("spec") or {})))
    else:
        changes = changes_between(parent.body.get("resolved_spec") or {}, job.body.get("resolved_spec") or {}) or {
            "": "the same spec as its parent's"
        }
        out.print(job_table(job.body, changes, settings_title="changed"))


def _parent_of(client: Client, job: Job) -> Job | None:
    """Return the job that this one is a rerun of; None if it is not a rerun, or its parent was deleted."""
    if not job.body.get("parent_job_id"):
        return None
    try:
        return client.jobs.get(job.body["parent_job_id"])
    except NotFoundError:
        return None


def _print_log(event: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(event)
        return
    prefix = "warning: " if event["kind"] == "warning" else ""
    message = str(event["body"].get("message", ""))
    out.print(prefix + message, markup=False, highlight=False, soft_wrap=True)


def _print_paths(paths: Sequence[Path], *, as_json: bool) -> None:
    if as_json:
        print_json([str(path) for path in paths])
    else:
        for path in paths:
            out.print(str(path), markup=False, highlight=False, soft_wrap=True)


def _job_facts(spec: Mapping[str, Any], checked: Mapping[str, Any]) -> list[tuple[str, str]]:
    plan = checked.get("plan") or {}
    splits = ", ".join(f"{split} {number:,}" for split, number in (plan.get("num_rows") or {}).items())
    facts = [("valid", "a job; none was submitted")]
    facts += [("rows", splits)] if splits else []
    for title, field in {
        "task": "task",
        "loss": "loss",
        "parameters": "num_parameters",
        "epochs": "num_epochs",
        "steps": "num_steps",
    }.items():
        facts += [(title, escape(format_number(plan[field])))] if plan.get(field) is not None else []
    facts += [(escape(one["name"]), escape(one.get("note") or "")) for one in plan.get("regularizers") or []]
    set_here = settings_of(spec)
    facts += [("" if index else "set", escape(f"{at}  {to}")) for index, (at, to) in enumerate(set_here.items())]
    return [*facts, *warning_lines(checked.get("warnings"), as_settings)]


def _sweep_facts(checked: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [("valid", "a sweep; none was submitted")]
    for title, field in {"combinations": "num_candidates", "jobs": "num_members"}.items():
        facts += [(title, format_number(checked[field]))] if field in checked else []
    return [*facts, *warning_lines(checked.get("warnings"), as_settings)]
