"""`python -m regclient.demo`: four ways to train one network on real digits, as jobs over HTTP, side by side.

The article's 784-128-10 network on 5,000 MNIST digits: plain, L1, L2 and dropout, with all else equal. The demo starts
a stack in its own folder and on a free port, prints a table, draws demo.png and leaves nothing running.
"""

import argparse
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.markup import escape

from regclient.cli.entry import run
from regclient.client import Client
from regclient.demo_report import comparison_table, draw_curves
from regclient.display.output import err, out, print_announcement, print_error
from regclient.display.progress import JobLines, job_progress
from regclient.errors import RegClientError
from regclient.job import Job
from regclient.stack.ports import free_port
from regclient.stack.server_settings import read_server_settings, stack_options, with_options
from regclient.stack.up import EmbeddedStack

NUM_EPOCHS = 30  # by then, the plain network has long memorized its training digits
TIMEOUT_S = 300.0
POLL_S = 0.2
DATA_DIR_NAME = ".regcore-demo"

REGULARIZERS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "L1": [{"kind": "l1", "strength": 1e-4}],
    "L2": [{"kind": "l2", "strength": 1e-3}],
    "dropout": [{"kind": "dropout", "p": 0.5}],
}


def demo_spec(name: str, regularizers: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the job of one row of the table; only the regularizers differ."""
    return {
        "name": name,
        "labels": {"demo": "regularizers"},
        "data": {"kind": "builtin", "name": "mnist-5k", "test_fraction": 0.2, "validation_fraction": 0.0},
        "model": {"kind": "mlp", "hidden": [128], "activation": "relu"},
        "optimizer": {"kind": "adam", "learning_rate": 1e-3},
        "regularizers": regularizers,
        "training": {"epochs": NUM_EPOCHS, "batch_size": 64, "seed": 0},
    }


def run_demo(client: Client) -> list[Job]:
    """Submit the four jobs and watch them to their end.

    Raises:
        JobFailedError: One of them did not succeed.
        TimeoutError: They took longer than TIMEOUT_S.
    """
    jobs = [client.jobs.create(demo_spec(name, regularizers)) for name, regularizers in REGULARIZERS.items()]
    by_id = {job.id: job for job in jobs}
    deadline = time.monotonic() + TIMEOUT_S

    def fetch(job_id: str, after: int) -> Mapping[str, Any] | None:
        return by_id[job_id].latest_metrics(after=after)

    with job_progress(err.is_live or JobLines(err, fetch).show, fetch=fetch, console=err) as show:
        while not all(job.done for job in jobs):
            for job in jobs:
                if not job.done:
                    show(job.refresh().body)
            if time.monotonic() > deadline:
                raise TimeoutError(f"The four jobs were not over within {TIMEOUT_S:g} s.")
            time.sleep(POLL_S)
    return [job.raise_for_state() for job in jobs]


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 if all four jobs succeeded."""
    parser = argparse.ArgumentParser(prog="python -m regclient.demo", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo.png"), help="the picture")
    output: Path = parser.parse_args(arguments).output
    # As for Ctrl-C, so that the stack is stopped and its folder removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started = time.monotonic()

    # Beside the picture, so that a demo that is killed leaves its files there, and the next one removes them.
    try:
        found = read_server_settings(with_options(port=free_port(), data_dir=output.parent / DATA_DIR_NAME))
        options = replace(stack_options(found), is_temporary=True, stop_grace_s=5.0)
        with EmbeddedStack(options, print_announcement) as stack, Client(stack.url, stack.api_key) as client:
            jobs = run_demo(client)
            curves = {job.body["name"]: job.metrics(["train/loss", "test/loss"]) for job in jobs}
            rows = [(job.body, job.report()) for job in jobs]
    except (RegClientError, TimeoutError) as error:
        print_error(error, as_json=False)
        return 1
    except KeyboardInterrupt:
        err.print("Interrupted; everything is stopped.")
        return 130
    out.print(comparison_table(rows))
    draw_curves(curves, output)
    out.print(f"Curves in {escape(str(output))}. All of it took {time.monotonic() - started:.0f} s.", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
