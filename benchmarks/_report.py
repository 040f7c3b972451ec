"""What every table of results says beside its numbers, and where it is kept."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import torch


def hardware() -> str:
    """The machine, and how busy it was."""
    with Path("/proc/cpuinfo").open() as lines:
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{models[0] if models else platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, {os.cpu_count()} "
        f"cores, torch {torch.__version__} with {torch.get_num_threads()} threads, Python {platform.python_version()}, "
        f"load average {load}"
    )


def keep(name: str, title: str, text: str) -> None:
    """Print a text, and write it to `results/{date}-{name}.md`."""
    now = datetime.now(UTC)
    whole = f"# {title}, {now:%Y-%m-%d}\n\n{text}\n"
    print(whole)
    results = Path(__file__).with_name("results")
    results.mkdir(exist_ok=True)
    (results / f"{now:%Y-%m-%d}-{name}.md").write_text(whole, encoding="utf-8")
