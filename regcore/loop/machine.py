"""What a pass computes with: its device, where its rows lie, and how many threads."""

from typing import Final

import torch

from regcore.loop.newcomer import Checkpoints
from regcore.plan import Plan

SMALL_STEP_PRODUCTS: Final = 10**8
"""Members × weights × rows of a batch: below this a step is too short for several threads."""


def num_threads(plan: Plan, num_members: int, checkpoints: Checkpoints | None) -> int:
    """One thread for a small network, all of torch's for a large one; a resumed run uses as many as before.

    A step of the article's network takes half a millisecond. On an idle machine a second thread saves a tenth of that;
    on a busy one its barriers wait for the scheduler, and the same run took eighteen times as long. The number of
    threads decides the order of sums, and so the last bits.
    """
    if checkpoints is not None and checkpoints.newest.state is not None:
        return int(checkpoints.newest.state["identity"]["environment"]["num_threads"])
    is_small = num_members * plan.num_parameters * plan.batch_size < SMALL_STEP_PRODUCTS
    return 1 if is_small else torch.get_num_threads()


def choose_device(wanted: str) -> torch.device:
    """The device of `resources.device`; `auto` takes a GPU where there is one."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def rows_device(plan: Plan) -> torch.device:
    """Where the rows of a plan lie: on its device if they are small, else in the host's memory."""
    return choose_device(plan.resolved_spec.resources.device if plan.rows_fit_device else "cpu")
