"""Digits of mnist-5k as a ZIP of PNG files in folders, beside the built-in set: the same rows, which train as well.

Both are sorted by class, so that splits and accuracies are equal.
"""

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import regcore.data
from benchmarks._report import hardware, keep
from regcore import train

NUM_SEEDS = 5
MODEL = {"kind": "mlp", "hidden": [128]}
TRAINING = {"epochs": 10}


def write_digits(path: Path) -> None:
    """Each digit as a grey PNG in a folder of its class."""
    with (
        np.load(Path(regcore.data.__file__).with_name("mnist_5k.npz")) as arrays,
        zipfile.ZipFile(path, "w") as archive,
    ):
        for number, (pixels, label) in enumerate(zip(arrays["images"], arrays["labels"], strict=True)):
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "PNG")
            archive.writestr(f"digits/{label}/{number:04}.png", file.getvalue())


def main() -> None:
    """Measure, and keep the result."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.zip"
        write_digits(path)
        ways = {
            "built-in `mnist-5k`": {"kind": "builtin", "name": "mnist-5k"},
            "ZIP of PNG files": {"kind": "file", "path": str(path)},
        }
        for name, data in ways.items():
            found = [accuracy_of(data | {"split_seed": seed}) for seed in range(NUM_SEEDS)]
            rows.append(f"| {name} | {np.mean(found):.4f} | {', '.join(f'{accuracy:.3f}' for accuracy in found)} |")
    table = "| rows from | mean test accuracy | of each split |\n| --- | ---: | --- |\n" + "\n".join(rows)
    text = f"784-128-10, {TRAINING['epochs']} epochs, {NUM_SEEDS} splits. {hardware()}.\n\n{table}"
    keep("own-images", "Digits as a folder of images", text)


def accuracy_of(data: dict[str, Any]) -> float:
    """On the test split."""
    return train({"data": data, "model": MODEL, "training": TRAINING}).metrics["test/accuracy"]


if __name__ == "__main__":
    main()
