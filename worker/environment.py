"""What child processes inherit: an allow-list, so that no credential of the worker's reaches them."""

from collections.abc import Mapping
from pathlib import Path

_NAMES = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LANG",
        "LANGUAGE",
        "TZ",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "PYTHONPATH",
        "PYTHONHOME",
        "VIRTUAL_ENV",
        "PYTHONDONTWRITEBYTECODE",
        "CUDA_HOME",
        "CUDA_PATH",
        "CUDA_VISIBLE_DEVICES",
        "CUDA_DEVICE_ORDER",
        "COVERAGE_PROCESS_START",
    }
)
_PREFIXES = ("LC_", "NVIDIA_")
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
}
"""glibc's allocator keeps what is freed. By default it maps and unmaps every large temporary, and the kernel clears its
pages each time: that costs more than the arithmetic. A runner gives memory back between two runs
(`worker.run.memory`). Other allocators ignore these."""


def runner_environment(
    environment: Mapping[str, str], num_threads: int, temporary_dir: Path, *, allow_downloads: bool = False
) -> dict[str, str]:
    """The runner's environment variables.

    Args:
        environment: The worker's own. What it says about glibc's allocator stands.
        num_threads: For OpenMP and MKL, which torch computes with, and which read theirs once, as the process starts.
        temporary_dir: For the temporary files of every library; what a killed runner leaves there is removed later.
        allow_downloads: Whether the engine may fetch torchvision's data sets.
    """
    threads = str(num_threads)
    return {
        **_kept(environment),
        **{name: environment.get(name, default) for name, default in MALLOC.items()},
        "TMPDIR": str(temporary_dir),
        "PYTHONUNBUFFERED": "1",
        "REGCORE_ALLOW_DOWNLOADS": str(int(allow_downloads)),
        # Otherwise counting the GPUs makes a context on one, which an idle spare must not hold.
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
        # cuBLAS is deterministic only with a workspace of fixed size.
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "OMP_NUM_THREADS": threads,
        # Threads that spin at a barrier would take cores from api and supervisor.
        "OMP_WAIT_POLICY": "passive",
        "MKL_NUM_THREADS": threads,
        # NumPy's and SciPy's BLAS starts its threads on import, in the template; they do not survive the fork.
        "OPENBLAS_NUM_THREADS": "1",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",  # the same of pyarrow's allocator
    }


def parser_environment(environment: Mapping[str, str], num_threads: int) -> dict[str, str]:
    """The environment of a process that reads an uploaded file.

    Args:
        environment: The worker's own.
        num_threads: Of the libraries that read.
    """
    return {
        **_kept(environment),
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": str(num_threads),  # pyarrow heeds it too
        # The default allocators reserve gigabytes of addresses ahead, which would count against the limit on memory.
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "MALLOC_ARENA_MAX": "2",
    }


def _kept(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in environment.items() if name in _NAMES or name.startswith(_PREFIXES)}
