"""How many members to train in one pass: decided by timing a few steps, once for each shape and device.

On a CPU, small dense networks gain most from fusion, because their steps are mostly overhead. Large ones gain nothing
once their stacked weights exceed the caches. So the time for a member's step is measured for growing stacks, and the
fastest size is taken, which may be 1.
"""

import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import psutil
import torch

from regcore.data.prepared import PreparedData, dtype_of
from regcore.data.source import KnownSource, Source
from regcore.loop.computing import is_out_of_memory
from regcore.loop.machine import choose_device, is_small, rows_device
from regcore.loop.network import StackedNetwork
from regcore.loop.planned_rows import task_of
from regcore.loop.stack import Stack
from regcore.own_state import own_state
from regcore.plan import Plan

SIZES: Final = (1, 4, 16, 64, 256)
"""Sizes that are timed; sizes in between do not differ enough to measure."""
MEMORY_SHARE: Final = 0.4
"""The largest share of the free memory that a pass may take."""
_MIN_TIMED_S: Final = 0.05
_NUM_TIMED_STEPS: Final = (6, 10)
"""Steps to time: at least, and at most if they are short. The first two touch new memory and do not count."""
_WORTHWHILE: Final = 0.95
"""A larger stack must reduce the time for a member to at most this share, because fusion has risks."""

_CGROUP_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")
_CGROUP_USED: Final = Path("/sys/fs/cgroup/memory.current")

_step_times_s: dict[str, dict[int, float]] = {}
"""Times for a member's step, by size. Only these are remembered: the free memory changes."""


@own_state()
def fitting_size(plan: Plan, num_members: int, *, source: Source | None = None) -> int:
    """Return how many of these compatible members to train in one pass, at least 1.

    Args:
        plan: The plan of one of them.
        num_members: How many there are.
        source: Where their rows come from; None for the built-in sets.
    """
    if num_members == 1 or plan.fusion_key is None:
        return 1
    most = max(1, room_bytes(plan) // max(1, plan.member_bytes))
    if most == 1:
        return 1
    device = choose_device(plan.resolved_spec.resources.device)
    times_s = _step_times_s.setdefault(f"{plan.fusion_key} {device} {torch.get_num_threads()}", {})
    load = cache(lambda: (source or KnownSource()).prepare(plan.resolved_spec, device=rows_device(plan)))
    enough = next((size for size in SIZES if size >= num_members), SIZES[-1])
    sizes = [size for size in SIZES if size <= min(most, enough)]
    fitting = _best_size(sizes, times_s, lambda size: _member_step_s(plan, size, load()))
    # The largest timed size stands for all larger ones.
    return min(num_members, most) if fitting == SIZES[-1] else min(num_members, most, fitting)


def room_bytes(plan: Plan) -> int:
    """The memory for all members of a pass, on the device of this plan."""
    return int(MEMORY_SHARE * _free_bytes(choose_device(plan.resolved_spec.resources.device)))


def _best_size(sizes: Sequence[int], times_s: dict[int, float], time_s: Callable[[int], float]) -> int:
    """The size with the least time for a member's step; sizes that were never timed are timed now."""
    best, least_s = 1, float("inf")
    for size in sizes:
        if size not in times_s:
            try:
                times_s[size] = time_s(size)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                break  # the estimate was wrong, or another process took the memory: it may fit next time
        if times_s[size] > _WORTHWHILE * least_s:
            break
        best, least_s = size, times_s[size]
    return best


def _member_step_s(plan: Plan, size: int, data: PreparedData) -> float:
    """Seconds of a step divided by the members, with the threads that a stack of this size uses."""
    with own_state(1 if is_small(plan, size) else None):
        return _step_s([plan] * size, data) / size


def _step_s(plans: Sequence[Plan], data: PreparedData) -> float:
    """Seconds of one step of a stack: the minimum of several, because the machine may be busy."""
    network = StackedNetwork(
        plans,
        dtype=dtype_of(plans[0].resolved_spec),
        device=choose_device(plans[0].resolved_spec.resources.device),
        autocast=plans[0].resolved_spec.training.precision == "bfloat16",
    )
    stack = Stack(plans, network, data, task_of(plans[0], data), inputs=None)
    times: list[float] = []
    began_at = time.perf_counter()
    for _ in stack.first_steps():
        if network.device.type == "cuda":
            torch.cuda.synchronize(network.device)
        now = time.perf_counter()
        times.append(now - began_at)
        began_at = now
        fewest, most = _NUM_TIMED_STEPS
        if len(times) >= most or (len(times) >= fewest and sum(times) > _MIN_TIMED_S):
            break
    return min(times)


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        # Memory that torch has reserved counts as used on the device, but the next pass can use it.
        idle_bytes = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + idle_bytes
    free_bytes = [psutil.virtual_memory().available]
    if _CGROUP_LIMIT.exists() and (limit := _CGROUP_LIMIT.read_text().strip()) != "max":
        free_bytes.append(int(limit) - int(_CGROUP_USED.read_text()))
    return max(0, min(free_bytes))
