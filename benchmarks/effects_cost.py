"""What each regularizer adds to a step, as a multiple of the same step without it.

The article's 784-128-10 network on mnist-5k, batch 64, float32, one run and 32 at once. A step with the regularizer and
one without take turns, over the same rows, and the ratio is taken in each pair, so a busy machine slows both its sides.
With one thread, time is the processor's, which does not count while others have it; with more it is the clock's.
Kinds whose example needs another network, such as dropout for R-Drop, are compared on that one, as wide. The model
that one asks (a teacher) is as large as the article's; what it says does not matter to the time.

    python benchmarks/effects_cost.py [--pairs 200] [--members 1 32] [--optimizer sgd] [--threads 1] [--only KIND ...]

A runner keeps freed memory, and so must this, or large temporaries cost more than what is computed with them:
MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=67108864.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import torch
from _report import hardware, keep
from torch import nn

from regcore.data.prepare import PreparedData, prepare
from regcore.loop.network import StackedNetwork
from regcore.loop.planned_rows import task_of
from regcore.loop.stack import Stack
from regcore.plan import Plan, make_plan
from regcore.spec.kinds import REGULARIZERS

Spec = dict[str, Any]

LIMITS: Final[dict[str, float]] = {
    **dict.fromkeys(["l1", "l2", "elastic_net", "weight_decay"], 1.03),
    **dict.fromkeys(["max_norm", "group_lasso", "ema", "grad_clip"], 1.15),
    **dict.fromkeys(["sam", "r_drop"], 2.2),
}
"""What a penalty or decay, a projection, average or clip, and a second pass may cost; the others have no limit."""
NUM_WARM_UP_PAIRS: Final = 10
MLP: Final = {"kind": "mlp", "hidden": [128]}


def widened(model: Any) -> Any:
    """A model with the article's number of hidden units in place of an example's."""
    if isinstance(model, dict):
        return {name: 128 if name == "features" else widened(part) for name, part in model.items()}
    return [widened(part) for part in model] if isinstance(model, list) else model


class Contest:
    """Steps of K members with and without one regularizer.

    Args:
        kind: The regularizer's kind.
        num_members: K.
        optimizer: The optimizer's kind.
        data: Its splits.
    """

    def __init__(self, kind: str, num_members: int, optimizer: str, data: PreparedData) -> None:
        regularizer = REGULARIZERS[kind]
        model = MLP if regularizer.example_model["kind"] == "mlp" else widened(regularizer.example_model)
        spec = base(optimizer) | {"model": model}
        self._stacks = [
            stack_of(spec | {"regularizers": regularizers}, num_members, data)
            for regularizers in ([], [regularizer.example])
        ]

    def ratios(self, num_pairs: int) -> tuple[list[float], float]:
        """The cost of each pair, and the median time of a plain step in µs."""
        ratios, plain = [], []
        for pair in range(-NUM_WARM_UP_PAIRS, num_pairs):
            rows = self._stacks[0].rows(0, pair % 40)
            # Who goes first takes turns too.
            order = (0, 1) if pair % 2 else (1, 0)
            times = {place: timed(self._stacks[place], rows) for place in order}
            if pair >= 0:
                ratios.append(times[1] / times[0])
                plain.append(times[0])
        return ratios, statistics.median(plain) * 1e6


def base(optimizer: str) -> Spec:
    return {
        "data": {"kind": "builtin", "name": "mnist-5k"},
        "optimizer": {"kind": optimizer, "learning_rate": 0.01 if optimizer == "sgd" else 0.001},
        "training": {"epochs": 100, "batch_size": 64},
        "resources": {"device": "cpu"},
    }


def stack_of(spec: Spec, num_members: int, data: PreparedData) -> Stack:
    plans = [make_plan(spec | {"training": spec["training"] | {"seed": seed}}) for seed in range(num_members)]
    network = StackedNetwork(plans, dtype=torch.float32, device=torch.device("cpu"), autocast=False)
    return Stack(plans, network, data, task_of(plans[0], data), inputs=[models_asked(plans[0])] * num_members)


def models_asked(plan: Plan) -> dict[str, dict[str, nn.Module]]:
    """Untrained models for the regularizers that ask others, as `Stack` takes them; all members share them."""
    asked: dict[str, dict[str, nn.Module]] = {}
    for name in (*plan.inputs, *plan.trained_first):
        regularizer, _, field = name.rpartition(".")
        model = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
        asked.setdefault(regularizer, {})[field] = model
    return asked


def timed(stack: Stack, rows: torch.Tensor) -> float:
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    began = clock()
    stack.advance(rows)
    return clock() - began


def row(kind: str, numbers: Sequence[tuple[list[float], float]]) -> str:
    """One line of the table: for each K the median ratio and its quartiles."""
    cells = []
    for ratios, _ in numbers:
        low, middle, high = statistics.quantiles(ratios, n=4)
        cells.append(f"{middle:.3f} ({low:.2f} to {high:.2f})")
    limit = LIMITS.get(kind)
    verdict = "—" if limit is None else f"{limit:g}"
    misses = limit is not None and any(statistics.median(ratios) > limit for ratios, _ in numbers)
    return f"| {kind} | {' | '.join(cells)} | {verdict}{' **missed**' if misses else ''} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--members", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--optimizer", default="sgd")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="+", help="kinds; all others are left out")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = prepare(make_plan(base("sgd") | {"model": MLP}).resolved_spec)
    kinds = [kind for kind in REGULARIZERS if kind in (options.only or REGULARIZERS)]
    described = hardware()
    lines = [
        f"| regularizer | {' | '.join(f'K = {k}: median of pairs (quartiles)' for k in options.members)} | at most |",
        f"| --- | {' | '.join(['---:'] * (len(options.members) + 1))} |",
    ]
    plain: dict[int, float] = {}
    for kind in kinds:
        numbers = []
        for k in options.members:
            contest = Contest(kind, k, options.optimizer, data)
            numbers.append(contest.ratios(options.pairs if k == 1 else max(20, options.pairs // 4)))
            if REGULARIZERS[kind].example_model["kind"] == "mlp":
                plain[k] = min(plain.get(k, numbers[-1][1]), numbers[-1][1])
        lines.append(row(kind, numbers))
        print(lines[-1], file=sys.stderr, flush=True)
    steps = ", ".join(f"{time_us:,.0f} µs at K = {k}" for k, time_us in plain.items())
    text = (
        f"A step of 784-128-10 on mnist-5k, batch 64, {options.optimizer}, with each regularizer's example against the "
        f"same step without it: {steps} (the least median). {described}.\n\n" + "\n".join(lines)
    )
    keep(f"effects-cost-{options.optimizer}", f"What regularizers cost, {options.optimizer}", text)


if __name__ == "__main__":
    main()
