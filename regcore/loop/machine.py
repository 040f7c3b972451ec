"""What a pass computes with: its device, where its rows lie, and how many threads."""

from typing import Final

import torch

from regcore.loop.newcomer import Checkpoints
from regcore.plan import Plan

SMALL_STEP_WORK: Final = 2 * 10**8
"""Multiplications, `Plan.step_work`, below which a step is too short for several threads: about ten milliseconds."""


def num_threads(plan: Plan, num_members: int, checkpoints: Checkpoints | None) -> int:
    """One thread for a small network, all of torch's for a large one; a resumed run uses as many as before.

    A step of the article's network takes half a millisecond. On an idle machine a second thread saves a tenth of that;
    on a busy one its barriers wait for the scheduler, and the same run took eighteen times as long. Steps of more than
    ten milliseconds became 1.4 to 1.8 times as fast, whatever the kind of network, and at worst a quarter slower on a
    busy machine. The number of threads decides the order of sums, and so the last bits.
    """
    if checkpoints is not None and checkpoints.newest.state is not None:
        return int(checkpoints.newest.state["identity"]["environment"]["num_threads"])
    return 1 if is_small(plan, num_members) else torch.get_num_threads()


def is_small(plan: Plan, num_members: int) -> bool:
    """Whether a step of so many members is better off with one thread: it follows from the plan alone."""
    return num_members * plan.step_work < SMALL_STEP_WORK


def choose_device(wanted: str) -> torch.device:
    """The device of `resources.device`; `auto` takes a GPU where there is one."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def rows_device(plan: Plan) -> torch.device:
    """Where the rows of a plan lie: on its device if they are small, else in the host's memory."""
    return choose_device(plan.resolved_spec.resources.device if plan.rows_fit_device else "cpu")
