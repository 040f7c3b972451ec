"""What each regularizer adds to a step, as a multiple of the same step without it.

The article's 784-128-10 network on mnist-5k, batch 64, float32, one run and 32 at once. A step with the regularizer and
one without take turns, over the same rows, and the ratio is taken in each pair, so a busy machine slows both its sides.
With one thread, time is the processor's, which does not count while others have it; with more it is the clock's.
Kinds whose example needs another network, such as dropout for R-Drop, are compared on that one, as wide. The model
that one asks (a teacher) is as large as the article's; what it says does not matter to the time.

    python benchmarks/effects_cost.py [--pairs 200] [--members 1 32] [--optimizer sgd] [--threads 1] [--cnn] [--only …]

glibc keeps freed memory, as in a runner, or large temporaries would cost more than what is computed with them.
"""

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from _report import hardware, keep
from _stacks import Spec, clock, keep_freed_memory, stack_of

from regcore.data.prepare_known import prepare
from regcore.data.prepared import PreparedData
from regcore.loop.stack import Stack
from regcore.plan import make_plan
from regcore.regularizers import Regularizer
from regcore.spec.kinds import REGULARIZERS

LIMITS: Final[dict[str, float]] = {
    **dict.fromkeys(["l1", "l2", "elastic_net", "weight_decay"], 1.03),
    **dict.fromkeys(["max_norm", "group_lasso", "ema", "grad_clip"], 1.15),
    **dict.fromkeys(["sam", "r_drop"], 2.2),
}
"""What a penalty or decay, a projection, average or clip, and a second pass may cost; the others have no limit."""
AUGMENTATION: Final = ("crop_flip", "cutmix", "cutout", "input_noise", "mixup", "random_erasing", "swap_noise")
AUGMENTATION_LIMIT: Final = 1.3
"""What changing rows may cost on the small convolutional network: on the article's, they are most of its arithmetic."""
NUM_WARM_UP_PAIRS: Final = 10
MLP: Final = {"kind": "mlp", "hidden": [128]}
CNN: Final = {
    "kind": "layers",
    "layers": [
        *(
            layer
            for channels in (16, 32)
            for layer in (
                {"kind": "conv2d", "channels": channels, "padding": 1},
                {"kind": "activation"},
                {"kind": "pool"},
            )
        ),
        {"kind": "linear"},
    ],
}


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
        plain: The network of kinds that need no other.
    """

    def __init__(self, kind: str, num_members: int, optimizer: str, data: PreparedData, plain: Spec) -> None:
        regularizer = REGULARIZERS[kind]
        model = plain if regularizer.example_model["kind"] == "mlp" else widened(regularizer.example_model)
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


def timed(stack: Stack, rows: torch.Tensor) -> float:
    began = clock()
    stack.advance(rows)
    return clock() - began


def row(kind: str, numbers: Sequence[tuple[list[float], float]], limits: Mapping[str, float]) -> str:
    """One line of the table: for each K the median ratio and its quartiles."""
    cells = []
    for ratios, _ in numbers:
        low, middle, high = statistics.quantiles(ratios, n=4)
        cells.append(f"{middle:.3f} ({low:.2f} to {high:.2f})")
    limit = limits.get(kind)
    verdict = "—" if limit is None else f"{limit:g}"
    misses = limit is not None and any(statistics.median(ratios) > limit for ratios, _ in numbers)
    return f"| {kind} | {' | '.join(cells)} | {verdict}{' **missed**' if misses else ''} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--members", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--optimizer", default="sgd")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cnn", action="store_true", help="what changes rows, on a small convolutional network")
    parser.add_argument("--only", nargs="+", help="kinds; all others are left out")
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    data = prepare(make_plan(base("sgd") | {"model": MLP}).resolved_spec)
    model, name, limits = MLP, "784-128-10", LIMITS
    if options.cnn:
        model, name, limits = CNN, "two convolutions", dict.fromkeys(AUGMENTATION, AUGMENTATION_LIMIT)
    of_images = [
        kind for kind, regularizer in REGULARIZERS.items() if regularizer.example_data == Regularizer.example_data
    ]
    kinds = [
        kind for kind in of_images if kind in (options.only or limits if options.cnn else options.only or of_images)
    ]
    described = hardware()
    lines = [
        f"| regularizer | {' | '.join(f'K = {k}: median of pairs (quartiles)' for k in options.members)} | at most |",
        f"| --- | {' | '.join(['---:'] * (len(options.members) + 1))} |",
    ]
    plain: dict[int, float] = {}
    for kind in kinds:
        numbers = []
        for k in options.members:
            contest = Contest(kind, k, options.optimizer, data, model)
            numbers.append(contest.ratios(options.pairs if k == 1 else max(20, options.pairs // 4)))
            if REGULARIZERS[kind].example_model["kind"] == "mlp":
                plain[k] = min(plain.get(k, numbers[-1][1]), numbers[-1][1])
        lines.append(row(kind, numbers, limits))
        print(lines[-1], file=sys.stderr, flush=True)
    steps = ", ".join(f"{time_us:,.0f} µs at K = {k}" for k, time_us in plain.items())
    text = (
        f"A step of {name} on mnist-5k, batch 64, {options.optimizer}, with each regularizer's example against the "
        f"same step without it: {steps} (the least median). {described}.\n\n" + "\n".join(lines)
    )
    where = " on a CNN" if options.cnn else ""
    keep(
        f"effects-cost-{'cnn' if options.cnn else options.optimizer}",
        f"What regularizers cost, {options.optimizer}{where}",
        text,
    )


if __name__ == "__main__":
    main()
