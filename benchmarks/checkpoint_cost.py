"""What checkpoints cost a run: `python benchmarks/checkpoint_cost.py [SECONDS [ROUNDS]]`.

Goal: under 3 % of the training time at the default interval (30 s), for the article's network and for one of fifty
million parameters. Each trains for so many seconds without checkpoints and then for as many with them, in each round.
The share is what the writes took of the time with them; the ratio is of the steps taken, with them to without.
"""

import contextlib
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from regcore import make_plan, train
from regcore.errors import TrainingStopped
from regcore.loop.checkpointer import Checkpointer

NETWORKS = {"784-128-10": [128], "784-6000-7000-400-10": [6000, 7000, 400]}


class Timed:
    """A function, and how often and how long it ran."""

    def __init__(self, function):
        self._function = function
        self.spent_s = 0.0
        self.num_calls = 0

    def __call__(self, *args, **kwargs):
        started_at = time.monotonic()
        try:
            return self._function(*args, **kwargs)
        finally:
            self.spent_s += time.monotonic() - started_at
            self.num_calls += 1


def steps_within(spec, seconds, folder):
    """Steps taken in so many seconds; with checkpoints where there is a folder for them."""
    asked_at = []

    def stop():
        asked_at.append(time.monotonic())
        if asked_at[-1] - asked_at[0] > seconds:
            raise TrainingStopped("enough")  # raised and not returned: without a last checkpoint
        return False

    with contextlib.suppress(TrainingStopped):
        train(spec, should_stop=stop, resume_from=folder)
    return len(asked_at)


def measure(spec, seconds):
    """Share of the time, ratio of steps, checkpoints, and seconds for one."""
    without = steps_within(spec, seconds, None)
    folder = Path(tempfile.mkdtemp(prefix="regcore-bench-"))
    save = Checkpointer.save
    timed = Timed(save)
    Checkpointer.save = lambda *args: timed(*args)
    try:
        with_them = steps_within(spec, seconds, folder)
    finally:
        Checkpointer.save = save
        shutil.rmtree(folder)
    return timed.spent_s / seconds, with_them / without, timed.num_calls, timed.spent_s / max(1, timed.num_calls)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 150.0
    num_rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    for name, hidden in NETWORKS.items():
        # Without evaluations in between, so that it is steps alone that are compared.
        spec = {
            "data": {"kind": "builtin", "name": "mnist-5k"},
            "model": {"kind": "mlp", "hidden": hidden},
            "training": {"epochs": 100_000, "eval_every_epochs": 100_000},
        }
        shares, ratios, saved, each_s = zip(*(measure(spec, seconds) for _ in range(num_rounds)), strict=True)
        print(f"{name}, {make_plan(spec).num_parameters:,} parameters, {num_rounds} × {seconds:g} s")
        print(f"  checkpoints           {min(saved)} to {max(saved)}, {statistics.median(each_s):.3f} s each")
        print(f"  share of the time     {statistics.median(shares):.2%}, at most {max(shares):.2%}   goal < 3 %")
        print(f"  steps, with : without {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
