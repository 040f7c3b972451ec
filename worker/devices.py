"""What this node can compute with, found without importing torch."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_CGROUP_CPU = Path("/sys/fs/cgroup/cpu.max")
_DEVICE_FILES = Path("/dev")


@dataclass(frozen=True)
class Slot:
    """Room for one run at a time.

    Attributes:
        index: 0 for the first of this worker.
        device: `cpu`, or `cuda:N` for the N-th GPU that this worker may see.
    """

    index: int
    device: str


def find_slots(slots: int | str, *, num_gpus: int | None = None) -> list[Slot]:
    """One slot for each GPU, or one on the CPU; a number is dealt out over the GPUs in turn.

    Args:
        slots: The setting: `auto` or a number ≥ 1.
        num_gpus: Counted here unless given.
    """
    gpus = count_gpus(os.environ) if num_gpus is None else num_gpus
    num_slots = max(gpus, 1) if slots == "auto" else int(slots)
    return [Slot(index, f"cuda:{index % gpus}" if gpus else "cpu") for index in range(num_slots)]


def count_gpus(environment: Mapping[str, str], device_files: Path = _DEVICE_FILES) -> int:
    """GPUs that NVIDIA's driver shows, or as many of them as `CUDA_VISIBLE_DEVICES` names."""
    present = sum(bool(re.fullmatch(r"nvidia\d+", entry.name)) for entry in device_files.iterdir())
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return present
    named = [name for name in visible.split(",") if name.strip() and name.strip() != "-1"]
    return min(present, len(named))


def available_cores(cgroup_cpu: Path = _CGROUP_CPU) -> int:
    """Cores that this process may use: its affinity, limited by the container's quota."""
    cores = len(os.sched_getaffinity(0))
    if cgroup_cpu.exists():
        quota, period = cgroup_cpu.read_text().split()[:2]
        if quota != "max":
            cores = min(cores, max(1, int(quota) // int(period)))
    return cores


def threads_per_slot(num_slots: int) -> int:
    """Threads for torch in each runner: together the slots use every core once."""
    return max(1, available_cores() // num_slots)
