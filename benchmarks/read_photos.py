"""How long a ZIP of 20,000 photos takes to be ready, and how much memory its reader takes.

The photos are synthetic, 640 by 480 JPEGs of about 85 kB, in 10 folders. They are read by the worker's own child
process, held to its limits. The target: 120 s, and 1 GB of memory.
"""

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks._report import hardware, keep
from jobs.settings import Settings
from worker.datasets.confinement import Confinement
from worker.datasets.request import ANSWER, TABLE, Request
from worker.environment import parser_environment

NUM_CLASSES = 10
NUM_PATTERNS = 200
"""Different photos; each is stored with another last byte, so that no two files are alike."""


def write_photos(path: Path, num_photos: int) -> None:
    """A ZIP archive of photos: smooth patches under a camera's noise."""
    rng = np.random.default_rng(0)
    patterns = [_photo(rng) for _ in range(min(NUM_PATTERNS, num_photos))]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number in range(num_photos):
            content = patterns[number % len(patterns)] + number.to_bytes(4)
            archive.writestr(f"photos/class_{number % NUM_CLASSES}/{number:05}.jpg", content)


def _photo(rng: np.random.Generator) -> bytes:
    patches = Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8))
    smooth = np.asarray(patches.resize((640, 480), Image.Resampling.BICUBIC), np.float64)
    noisy = np.clip(smooth + rng.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "JPEG", quality=85)
    return file.getvalue()


def main() -> None:
    """Measure, and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num-photos", type=int, default=20_000)
    num_photos = parser.parse_args().num_photos
    fields = Settings.model_fields
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photos.zip"
        write_photos(path, num_photos)
        memory_bytes = fields["parser_memory_bytes"].default
        confinement = Confinement(memory_bytes, cpu_s=3_600, file_bytes=20_000_000_000)
        request = Request(str(path), path.name, "application/zip", "auto", confinement, os.getpid())
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "worker.datasets.parse", request.to_json()],
            cwd=folder,
            env={**parser_environment(os.environ, os.cpu_count() or 1), "PYTHONPATH": str(Path.cwd())},
            check=True,
        )
        wall_s = time.perf_counter() - started
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        answer = json.loads((Path(folder) / ANSWER).read_text())
        assert answer["facts"]["num_rows"] == num_photos, answer
        text = (
            f"A ZIP of {num_photos:,} photos of 640 by 480 pixels, {path.stat().st_size / 1e9:.2f} GB, in the "
            f"worker's reader. {hardware()}.\n\n"
            "| time | processor time | peak memory | table that is kept |\n| ---: | ---: | ---: | ---: |\n"
            f"| {wall_s:.0f} s | {used.ru_utime + used.ru_stime:.0f} s | {used.ru_maxrss * 1024 / 1e9:.2f} GB | "
            f"{(Path(folder) / TABLE).stat().st_size / 1e9:.2f} GB |"
        )
        keep("read-photos", "Photos in a ZIP, until they are ready", text)


if __name__ == "__main__":
    main()
