"""Whether the kernel killed a process for want of memory: its SIGKILL looks like any other."""

from pathlib import Path

_COUNTERS = (Path("/proc/vmstat"), Path("/sys/fs/cgroup/memory.events"))


def count_oom_kills(counters: tuple[Path, ...] = _COUNTERS) -> int:
    """Processes that the kernel's out-of-memory killer ended since boot, on this host or in this container."""
    total = 0
    for path in counters:
        if path.is_file():
            for line in path.read_text().splitlines():
                name, _, number = line.partition(" ")
                total += int(number) if name == "oom_kill" else 0
    return total
