"""Steps of a training pass, to be timed one at a time."""

import os
import sys
import time
from typing import Any

import torch
from torch import nn

from regcore.data.prepared import PreparedData
from regcore.loop.network import StackedNetwork
from regcore.loop.planned_rows import task_of
from regcore.loop.stack import Stack
from regcore.plan import Plan, make_plan
from worker.environment import MALLOC

Spec = dict[str, Any]


def stack_of(spec: Spec, num_members: int, data: PreparedData) -> Stack:
    """A pass of members that differ in their seeds, before its first step."""
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


def clock() -> float:
    """Seconds: the processor's where one thread computes, which stop while others have it; else the wall's."""
    return time.thread_time() if torch.get_num_threads() == 1 else time.perf_counter()


def keep_freed_memory() -> None:
    """Begin again with a runner's settings of glibc's allocator, which it reads when a process starts."""
    if not MALLOC.keys() <= os.environ.keys():
        os.execve(sys.executable, [sys.executable, *sys.argv], MALLOC | os.environ)  # noqa: S606 - no shell wanted
