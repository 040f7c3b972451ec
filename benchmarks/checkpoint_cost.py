"""What checkpoints cost a run: `python benchmarks/checkpoint_cost.py [SECONDS]`.

Goal: under 3 % of the training time at the default interval (30 s), for the article's network and for one of fifty
million parameters. Each is trained for about so many seconds twice in turn, without checkpoints and with them: the
share is what the writes themselves took, and the ratio is the wall time with them to that without.
"""

import contextlib
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from regcore import make_plan, parse_spec, train
from regcore.errors import TrainingStopped
from regcore.loop.checkpointer import Checkpointer

ARTICLE = {"data": {"kind": "builtin", "name": "mnist-5k"}, "model": {"kind": "mlp", "hidden": [128]}}
LARGE = {"data": {"kind": "builtin", "name": "mnist-5k"}, "model": {"kind": "mlp", "hidden": [6000, 7000, 400]}}
NETWORKS = {"784-128-10": ARTICLE, "784-6000-7000-400-10": LARGE}
NUM_ROUNDS = 3


class Clock:
    """Adds up the time that a function takes."""

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


def steps_in(spec, seconds):
    """How many steps fit into so many seconds."""
    started_at = []
    count = [0]

    def stop():
        if not started_at:
            started_at.append(time.monotonic())
        count[0] += 1
        return time.monotonic() - started_at[0] > seconds

    with contextlib.suppress(TrainingStopped):
        train(spec, should_stop=stop)
    return count[0]


def run(spec, num_steps, folder):
    """Seconds for so many steps; with checkpoints where there is a folder for them."""
    count = [0]

    def stop():
        count[0] += 1
        if count[0] > num_steps:
            raise TrainingStopped("enough")
        return False

    started_at = time.monotonic()
    with contextlib.suppress(TrainingStopped):
        train(spec, should_stop=stop, resume_from=folder)
    return time.monotonic() - started_at


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 100.0
    original = Checkpointer.save
    print(
        f"{'network':22} {'parameters':>11} {'saved':>6} {'a save':>8} {'share':>7} {'with/without':>13}   goal < 3 %"
    )
    for name, network in NETWORKS.items():
        # Without evaluations in between, so that it is steps alone that are compared.
        spec = {**network, "training": {"epochs": 100_000, "eval_every_epochs": 100_000}}
        num_steps = steps_in(spec, seconds)
        shares, ratios, saves_s, num_saves = [], [], [], []
        for _ in range(NUM_ROUNDS):
            without_s = run(spec, num_steps, None)
            clock = Clock(original)
            Checkpointer.save = lambda self, *args, clock=clock: clock(self, *args)
            folder = Path(tempfile.mkdtemp(prefix="regcore-bench-", dir=Path.cwd()))
            with_s = run(spec, num_steps, folder)
            shutil.rmtree(folder)
            Checkpointer.save = original
            shares.append(clock.spent_s / with_s)
            ratios.append(with_s / without_s)
            saves_s.append(clock.spent_s / max(1, clock.num_calls))
            num_saves.append(clock.num_calls)
        parameters = make_plan(parse_spec(spec)).num_parameters
        print(
            f"{name:22} {parameters:>11,} {min(num_saves)}–{max(num_saves):<4} {statistics.median(saves_s):7.3f}s "
            f"{max(shares):6.2%} {statistics.median(ratios):13.3f}   ({min(ratios):.3f}–{max(ratios):.3f})"
        )


if __name__ == "__main__":
    main()
