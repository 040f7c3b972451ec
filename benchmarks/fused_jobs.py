"""64 jobs POSTed one by one, fused against `fusion: off`: `python benchmarks/fused_jobs.py [--rounds 3]`.

The digits network (64-64-10, batch 32, 20 epochs) with 64 strengths of L1, over HTTP to the embedded stack with one
worker; the clock starts before the first POST and ends when the last job has ended. Rounds are interleaved.

Goal: at least 5 times sooner.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _report import hardware, keep

from regclient import Client
from regclient.stack.up import EmbeddedStack, StackOptions, free_port

NUM_JOBS = 64


def spec(place: int, fusion: str) -> Mapping[str, Any]:
    return {
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "mlp", "hidden": [64]},
        "regularizers": [{"kind": "l1", "strength": 10 ** (-6 + 4 * place / NUM_JOBS)}],
        "training": {"epochs": 20, "batch_size": 32, "seed": place},
        "labels": {"fusion": fusion},
        "fusion": fusion,
    }


def measure(client: Client, fusion: str) -> tuple[float, float, list[int]]:
    """Seconds for all the POSTs, seconds until all have ended, and how many trained together, job by job."""
    began_at = time.monotonic()
    jobs = [client.jobs.create(spec(place, fusion)) for place in range(NUM_JOBS)]
    posted_s = time.monotonic() - began_at
    for job in jobs:
        job.wait(timeout_s=600, progress=False)
    whole_s = time.monotonic() - began_at
    return posted_s, whole_s, [len(job.refresh().result["fused_with"]) + 1 for job in jobs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    described = hardware()
    folder = Path(tempfile.mkdtemp(prefix="regcore-bench-"))
    times: dict[str, list[float]] = {"auto": [], "off": []}
    groups: list[list[int]] = []
    posts: list[float] = []
    stack_options = StackOptions(port=free_port(), data_dir=folder)
    with EmbeddedStack(stack_options, lambda part, line: None) as stack, Client(stack.url, stack.api_key) as client:
        client.jobs.create(spec(0, "off")).wait(progress=False)  # a spare is warm
        for _ in range(options.rounds):
            for fusion in times:
                posted_s, whole_s, sizes = measure(client, fusion)
                times[fusion].append(whole_s)
                posts.append(posted_s)
                if fusion == "auto":
                    groups.append(sorted(set(sizes)))
    shutil.rmtree(folder)
    ratios = [off / auto for off, auto in zip(times["off"], times["auto"], strict=True)]
    text = (
        f"{NUM_JOBS} jobs of 64-64-10 on digits, batch 32, 20 epochs, POSTed one by one to the embedded stack, one "
        f"worker; {options.rounds} interleaved rounds. {described}.\n\n"
        "| | seconds from the first POST to the last end, median |\n| --- | ---: |\n"
        f"| fused | {statistics.median(times['auto']):.1f} |\n"
        f"| `fusion: off` | {statistics.median(times['off']):.1f} |\n"
        f"| the POSTs alone | {statistics.median(posts):.1f} |\n\n"
        f"Fused is {statistics.median(ratios):.1f} times sooner ({min(ratios):.1f} to {max(ratios):.1f}). "
        f"Sizes of the passes by round: {'; '.join(', '.join(map(str, sizes)) for sizes in groups)}."
    )
    keep("fused-jobs", "64 jobs, fused and not", text)


if __name__ == "__main__":
    main()
