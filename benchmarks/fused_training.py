"""K members in one pass against the same K trainings one after another: `python benchmarks/fused_training.py`.

Three networks with L1 and momentum, members differing in strength and seed, each trained whole: with an evaluation of
train, validation and test after every epoch. Peers, in the same rounds: the plain loop K times in sequence, as the
article writes it (a DataLoader) and as an expert would (rows in memory); two such loops in parallel, a process for each
half; Optuna with the plain loop as its objective; RegCore itself, one by one; and the limit, the matrix products of
training and evaluation alone. `--compile` adds a pass with `training.compile`, whose compilation is told apart.

    python benchmarks/fused_training.py [--rounds 5] [--compile] [article digits wide]

Goals, against the plain loop with a DataLoader: the article's network 3.6 times (hoped for: 4.2), 70 % of the limit
(80 %); digits 15 times (20), and 128 members no slower for each; no network slower than the faster of one by
one and together, for which `wide` is there, whose stacks outgrow the caches. Optuna is left out where it is not
installed: `pip install optuna`.
"""

import argparse
import importlib.util
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import torch
from _report import hardware, keep
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from regcore import JobSpec, train, train_many
from regcore.data.prepare_known import prepare
from regcore.data.prepared import PreparedData

LEARNING_RATE, MOMENTUM = 0.01, 0.9


@dataclass(frozen=True)
class Workload:
    """One network, trained K times."""

    name: str
    data: str
    inputs: int
    hidden: int
    batch_size: int
    epochs: int
    num_members: int = 32
    num_many: int | None = None
    """Members of a larger pass beside it, to compare the time for each."""

    def strength(self, member: int) -> float:
        return 10 ** (-6 + 4 * member / self.num_members)

    def spec(self, member: int, *, compile: bool = False) -> JobSpec:
        return JobSpec.model_validate(
            {
                "data": {"kind": "builtin", "name": self.data},
                "model": {"kind": "mlp", "hidden": [self.hidden]},
                "optimizer": {"kind": "sgd", "learning_rate": LEARNING_RATE, "momentum": MOMENTUM},
                "regularizers": [{"kind": "l1", "strength": self.strength(member)}],
                "training": {
                    "epochs": self.epochs,
                    "batch_size": self.batch_size,
                    "seed": member,
                    "compile": compile,
                },
                "resources": {"device": "cpu"},
            }
        )

    def prepared(self) -> PreparedData:
        return prepare(self.spec(0))


WORKLOADS = {
    "article": Workload("article", "mnist-5k", 784, 128, 64, 10),
    "digits": Workload("digits", "digits", 64, 64, 32, 20, num_many=128),
    "wide": Workload("wide", "mnist-5k", 784, 1024, 64, 2, num_members=4),
}


def fused(workload: Workload, *, num_members: int | None = None, compile: bool = False) -> None:
    """`train_many`, whole: validation of the specs, data, cost model, training, evaluations, reports."""
    results = train_many([workload.spec(k, compile=compile) for k in range(num_members or workload.num_members)])
    assert all(not isinstance(result, Exception) for result in results)


def one_by_one(workload: Workload) -> None:
    for member in range(workload.num_members):
        train(workload.spec(member))


def plain(workload: Workload, splits: list[tuple[Tensor, Tensor]], member: int, *, loader: bool) -> float:
    """One training as people write it; the validation loss at the end."""
    torch.manual_seed(member)
    module = nn.Sequential(nn.Linear(workload.inputs, workload.hidden), nn.ReLU(), nn.Linear(workload.hidden, 10))
    loss_of, strength = nn.CrossEntropyLoss(), workload.strength(member)
    optimizer = torch.optim.SGD(module.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    weights = [p for name, p in module.named_parameters() if name.endswith("weight")]
    x_train, y_train = splits[0]
    batches: Any = DataLoader(TensorDataset(x_train, y_train), batch_size=workload.batch_size, shuffle=True)
    losses: list[float] = []
    for _ in range(workload.epochs):
        if not loader:
            order = torch.randperm(len(y_train)).split(workload.batch_size)
            batches = ((x_train[rows], y_train[rows]) for rows in order)
        for x, y in batches:
            optimizer.zero_grad()
            loss = loss_of(module(x), y) + strength * sum(weight.abs().sum() for weight in weights)
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            losses = []
            for x, y in splits:
                outputs = module(x)
                losses.append(float(loss_of(outputs, y)))
                float((outputs.argmax(1) == y).float().mean())
    return losses[1]


def rows_of(workload: Workload) -> list[tuple[Tensor, Tensor]]:
    prepared = workload.prepared()
    splits = (prepared.train, prepared.validation, prepared.test)
    return [(split.x.flatten(1), split.y) for split in splits if split is not None]


def in_sequence(workload: Workload, *, loader: bool) -> None:
    splits = rows_of(workload)
    for member in range(workload.num_members):
        plain(workload, splits, member, loader=loader)


class TwoInParallel:
    """Two processes that each train half of the members in sequence, on a thread each; started once, and waiting."""

    def __init__(self, workload: Workload) -> None:
        self._halves = [
            subprocess.Popen(
                [sys.executable, __file__, "--half", str(half), workload.name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for half in (0, 1)
        ]
        self._await("ready")

    def _await(self, word: str) -> None:
        for half in self._halves:
            assert half.stdout is not None
            answer = half.stdout.readline().strip()
            assert answer == word, answer

    def __call__(self) -> None:
        for half in self._halves:
            assert half.stdin is not None
            half.stdin.write("go\n")
            half.stdin.flush()
        self._await("done")

    def close(self) -> None:
        for half in self._halves:
            half.communicate("")


def serve_half(workload: Workload, half: int) -> None:
    torch.set_num_threads(1)
    splits = rows_of(workload)
    print("ready", flush=True)
    for _ in sys.stdin:
        for member in range(half, workload.num_members, 2):
            plain(workload, splits, member, loader=False)
        print("done", flush=True)


def with_optuna(workload: Workload) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    splits = rows_of(workload)
    members = list(range(workload.num_members))
    study = optuna.create_study(sampler=optuna.samplers.GridSampler({"member": members}))
    study.optimize(
        lambda trial: plain(workload, splits, trial.suggest_categorical("member", members), loader=False),
        n_trials=len(members),
    )


def products_alone(workload: Workload) -> None:
    """What no implementation of these K trainings by stacked products can do without."""
    prepared = workload.prepared()
    count, inputs, hidden = workload.num_members, workload.inputs, workload.hidden
    first, last = torch.randn(count, hidden, inputs), torch.randn(count, 10, hidden)
    rows = len(prepared.train.y)
    for _ in range(workload.epochs):
        for start in range(0, rows, workload.batch_size):
            size = min(workload.batch_size, rows - start)
            x, at_hidden, at_output = _operands(count, inputs, hidden, size)
            torch.bmm(first, x)
            torch.bmm(last, at_hidden)
            torch.bmm(at_output, at_hidden.mT)
            torch.bmm(last.mT, at_output)
            torch.bmm(at_hidden, x.mT)
        for split in (prepared.train, prepared.validation, prepared.test):
            if split is not None:
                x = split.x.flatten(1)
                torch.mm(first.view(-1, inputs), x.mT)
                torch.bmm(last, _hidden(count, hidden, len(x)))


OPERANDS: dict[Any, Any] = {}


def _operands(count: int, inputs: int, hidden: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    key = (count, inputs, hidden, size)
    if key not in OPERANDS:
        x = torch.randn(count, size, inputs).mT
        OPERANDS[key] = (x, torch.randn(count, hidden, size), torch.randn(count, 10, size))
    return OPERANDS[key]


def _hidden(count: int, hidden: int, rows: int) -> Tensor:
    key = (count, hidden, rows)
    if key not in OPERANDS:
        OPERANDS[key] = torch.randn(count, hidden, rows)
    return OPERANDS[key]


def seconds(run: Callable[[], None]) -> float:
    began_at = time.perf_counter()
    run()
    return time.perf_counter() - began_at


def measure(workload: Workload, rounds: int, *, compile: bool) -> str:
    """A table of one workload."""
    pair = TwoInParallel(workload)
    runs: dict[str, Callable[[], None]] = {
        "RegCore, one pass": lambda: fused(workload),
        "plain loop, K in sequence": lambda: in_sequence(workload, loader=False),
        "the same with a DataLoader": lambda: in_sequence(workload, loader=True),
        "RegCore, one by one": lambda: one_by_one(workload),
        "two plain loops in parallel": pair,
        "the matrix products alone": lambda: products_alone(workload),
    }
    if importlib.util.find_spec("optuna"):
        runs[f"Optuna {version('optuna')}, plain loop"] = lambda: with_optuna(workload)
    if workload.num_many:
        runs[f"RegCore, one pass, K = {workload.num_many}"] = lambda: fused(workload, num_members=workload.num_many)
    notes = []
    if compile:
        runs["RegCore, one pass, compiled"] = lambda: fused(workload, compile=True)
    # What a process does once: imports, data, timing of sizes, compilation. A plain loop has nothing of the kind.
    first_s = {name: seconds(run) for name, run in runs.items() if name.startswith("RegCore, one pass")}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _, (name, run) in itertools.product(range(rounds), runs.items()):
        times[name].append(seconds(run))
        print(f"{workload.name} {name}: {times[name][-1]:.2f} s", file=sys.stderr, flush=True)
    pair.close()
    if compile:
        name = "RegCore, one pass, compiled"
        notes.append(f"Compilation, once in a process: {first_s[name] - statistics.median(times[name]):.0f} s.")
    return "\n\n".join([table(workload, times), *notes])


def table(workload: Workload, times: dict[str, list[float]]) -> str:
    ours = times["RegCore, one pass"]
    lines = [
        f"| {workload.name}: {workload.inputs}-{workload.hidden}-10, batch {workload.batch_size}, {workload.epochs} "
        "epochs | seconds, median | by a member, ms | times RegCore's one pass (median, range) |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, theirs in times.items():
        ratios = [their / our for our, their in zip(ours, theirs, strict=True)]
        median = statistics.median(theirs)
        num_members = workload.num_many if "K = " in name else workload.num_members
        lines.append(
            f"| {name} | {median:.2f} | {1000 * median / (num_members or 1):.1f} | "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", choices=[*WORKLOADS, []], help="all of them by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--half", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    chosen = [WORKLOADS[name] for name in options.workloads or WORKLOADS]
    if options.half is not None:
        serve_half(chosen[0], options.half)
        return
    described = hardware()
    tables = [measure(workload, options.rounds, compile=options.compile) for workload in chosen]
    intro = (
        f"K members in one pass, each evaluated after every epoch; {options.rounds} interleaved rounds. {described}."
    )
    keep("fused-training", "Fused training", "\n\n".join([intro, *tables]))


if __name__ == "__main__":
    main()
