"""Jobs and runs that the engine's tests share."""

import multiprocessing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Trained:
    """One member of a stack once it has ended."""

    state: dict[str, Any] | None
    history: list[dict[str, Any]]
    selected_epoch: int
    error: Exception | None
    step: int
    data: Any


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The base with changes; objects of the same kind are merged, everything else is replaced."""
    merged = dict(base)
    for name, value in changes.items():
        old = merged.get(name)
        is_same = isinstance(old, dict) and isinstance(value, dict) and value.get("kind") in (None, old.get("kind"))
        merged[name] = old | value if is_same else value
    return merged


@pytest.fixture(scope="session")
def make_job():
    """Gives job specs as JSON: a small network on 100 digits for two epochs, with what a test changes."""

    def make(**changes: Any) -> dict[str, Any]:
        base = {
            "data": {"kind": "builtin", "name": "digits", "train_limit": 100},
            "model": {"kind": "mlp", "hidden": [8]},
            "optimizer": {"kind": "sgd"},
            "training": {"epochs": 2, "batch_size": 32},
            "resources": {"device": "cpu"},
        }
        return merge(base, changes)

    return make


@pytest.fixture(scope="session")
def make_trainer():
    """Stacks several jobs, or one alone, in a trainer that has not begun; `source` gives rows of its own."""
    import torch

    from regcore.data.prepared import dtype_of
    from regcore.data.source import KnownSource, Source
    from regcore.loop.control import Control
    from regcore.loop.group import Newcomer, gather_inputs
    from regcore.loop.member import Member
    from regcore.loop.network import StackedNetwork
    from regcore.loop.planned_rows import task_of
    from regcore.loop.trainer import Trainer
    from regcore.plan import make_plan
    from regcore.spec import parse_spec

    def make(*jobs: dict[str, Any], source: Source | None = None, **options: Any) -> Trainer:
        rows = source or KnownSource()
        plans = [make_plan(parse_spec(job), facts_of=rows.facts) for job in jobs]
        data = rows.prepare(plans[0].resolved_spec)
        dtype = dtype_of(plans[0].resolved_spec)
        autocast = plans[0].resolved_spec.training.precision == "bfloat16"
        network = StackedNetwork(plans, dtype=dtype, device=torch.device("cpu"), autocast=autocast)
        members = [Member(str(k), plan, lambda record: None) for k, plan in enumerate(plans)]
        inputs = gather_inputs([Newcomer(str(k), plan) for k, plan in enumerate(plans)], data, network, rows, Control())
        return Trainer(members, network, data, task_of(plans[0], data), inputs=inputs, **options)

    return make


@pytest.fixture(scope="session")
def train_members(make_trainer):
    """Trains several jobs in one stack, or one alone; gives what became of each, in their order."""

    def train(*jobs: dict[str, Any], **options: Any) -> list[Trained]:
        trainer = make_trainer(*jobs, **options)
        trained: dict[str, Trained] = {}
        for ending in trainer.run():
            for k, member in enumerate(ending.members):
                state = None if ending.network is None else ending.network.member_state(k)
                trained[member.key] = Trained(
                    state, member.history, member.selected_epoch, ending.error, trainer.step, trainer.stack.data
                )
        return [trained[str(k)] for k in range(len(jobs))]

    return train


@pytest.fixture(scope="session")
def forkserver():
    """Starts processes in milliseconds: they are forked from one that has imported torch, and has one thread.

    It is shared, as Python has one forkserver. What a process runs is a function of the test's own module.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "regcore.loop.run", "sklearn.datasets", "sklearn.model_selection"])
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)  # where that module is found under the name that pytest gives it
        yield context
