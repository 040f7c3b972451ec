"""The real template and runners, but a job's name says what it meets in the middle of its real training.

Besides, every job takes its time while a file is there: so a fault meets it in its middle, on however fast a machine.
"""

import os
import signal
import sys
import time
from pathlib import Path

import torch

from regcore.loop.trainer import Trainer
from worker.run.template import main

AT_STEP = 20
SLOW_FROM_STEP = 100
SLOW_STEP_S = 0.02
SLOW_FILE = Path(sys.argv.pop(1))  # see `live_stack.LiveStack.slow_training`
_stop_or_save = Trainer._stop_or_save


def between_steps(trainer: Trainer, epoch: int) -> None:
    if trainer.step == AT_STEP:
        for member in trainer.members:
            meet(member.plan.resolved_spec.name)
    if trainer.step >= SLOW_FROM_STEP and SLOW_FILE.exists():
        time.sleep(SLOW_STEP_S)
    _stop_or_save(trainer, epoch)


def meet(fault: str | None) -> None:
    match fault:
        case "cuda-out-of-memory":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        case "host-out-of-memory":
            torch.empty(10**15)  # the allocator refuses it
        case "poison":
            os.kill(os.getpid(), signal.SIGSEGV)


if __name__ == "__main__":
    Trainer._stop_or_save = between_steps
    main()
