"""The commands that run servers: up, api, worker, migrate, doctor."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from regclient.cli.options import SERVERS, AsJSON, add_commands
from regclient.display.output import out, print_announcement, print_json
from regclient.stack.doctor import examine
from regclient.stack.server_settings import no_redis, read_server_settings, server_command, stack_options, with_options
from regclient.stack.up import run_stack


def _folder(text: str) -> Path:
    if not text.strip():  # as from a variable that is not set: it would be the working directory
        raise typer.BadParameter("expected a folder; received nothing")
    return Path(text)


DataDir = Annotated[
    Path | None,
    typer.Option(parser=_folder, metavar="<path>", help="Database, artifacts and keys. [default: .regcore]"),
]
Host = Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")]
# As text, for the servers check them: option and variable have one message.
Port = Annotated[str | None, typer.Option(metavar="<int>", help="Port to listen on; 0: any free one. [default: 8000]")]
Slots = Annotated[str | None, typer.Option(help="Jobs at a time: a number, or auto.")]
Artifacts = Annotated[
    bool, typer.Option("--artifacts", help="Also read every artifact in full; needs the data directory.")
]

_COLORS = {"ok": "green", "warning": "yellow", "problem": "red"}


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    add_commands(app, dict.fromkeys((up, api, worker, migrate, doctor), SERVERS))


def up(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    slots: Slots = None,
    as_json: AsJSON = False,
) -> None:
    """Start everything on this machine and stay in the foreground; Ctrl-C stops everything."""
    announce = partial(print_announcement, as_json=as_json)
    found = read_server_settings(with_options(host=host, port=port, data_dir=data_dir, slots=slots))
    for note in found["notes"]:
        announce("settings", note)
    if found["redis_fault"]:
        announce("redis", no_redis(found["redis_fault"]))
    run_stack(stack_options(found), announce)
    # everything is stopped: another Ctrl-C must not change the exit code
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def api(host: Host = None, port: Port = None, data_dir: DataDir = None, as_json: AsJSON = False) -> None:
    """Run the api alone. It logs JSON with or without --json."""
    _become("api", host=host, port=port, data_dir=data_dir)


def worker(slots: Slots = None, data_dir: DataDir = None, as_json: AsJSON = False) -> None:
    """Run a worker alone. It logs JSON with or without --json."""
    _become("worker", slots=slots, data_dir=data_dir)


def migrate(data_dir: DataDir = None, as_json: AsJSON = False) -> None:
    """Bring the database to this version's schema."""
    command, env = server_command("jobs.migrate"), with_options(data_dir=data_dir)
    done = subprocess.run(command, env=env, check=False, capture_output=as_json, text=True)
    if as_json:
        print_json({"migrated": done.returncode == 0, "output": (done.stdout + done.stderr).splitlines()})
    elif done.returncode == 0:
        out.print("The database is up to date.", highlight=False)
    raise typer.Exit(done.returncode if done.returncode == 2 else min(abs(done.returncode), 1))


def doctor(data_dir: DataDir = None, artifacts: Artifacts = False, as_json: AsJSON = False) -> None:
    """Check this machine and its server; the exit code is 1 if something must be fixed."""
    if data_dir is not None:
        os.environ["REGCORE_DATA_DIR"] = str(data_dir)
    findings = examine(artifacts=artifacts)
    healthy = all(finding.status != "problem" for finding in findings)
    if as_json:
        print_json({"healthy": healthy, "checks": [vars(finding) for finding in findings]})
    else:
        for finding in findings:
            status = f"[{_COLORS[finding.status]}]{finding.status:<8}[/]"
            out.print(f"{status} [bold]{finding.name:<10}[/] {escape(finding.message)}", highlight=False)
    raise typer.Exit(0 if healthy else 1)


def _become(module: str, **options: object) -> None:
    """Replace this process with the server, so that a container's signals reach it directly."""
    os.execve(sys.executable, server_command(module), with_options(**options))  # noqa: S606 - no shell wanted
