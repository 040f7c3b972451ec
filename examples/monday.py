"""Make the five files of the tutorial (`docs/tutorial.md`) from the sets that come with RegCore.

    python examples/monday.py [FOLDER]      by default ./monday

They are what somebody might bring on a Monday: a ZIP of pictures in a folder for each class, sentences as JSON lines, a
folder of WAV files, a CSV file with a column of text, and an NPZ file of images.
"""

import csv
import gzip
import io
import json
import sys
import zipfile
from importlib.resources import files
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from sklearn.datasets import load_digits

SETS = files("regcore.data")
NUM_PICTURES_OF_EACH = 60
LIVING = {"animal", "plant", "body"}


def write_pictures(path: Path) -> None:
    """Handwritten digits of 28 by 28 pixels: `scans/7/0042.png`."""
    with (SETS / "mnist_5k.npz").open("rb") as file:
        arrays = np.load(file)
        x, y = arrays["images"], arrays["labels"]
    with zipfile.ZipFile(path, "w") as archive:
        for label in np.unique(y):
            for number in np.flatnonzero(y == label)[:NUM_PICTURES_OF_EACH]:
                content = io.BytesIO()
                Image.fromarray(x[number].reshape(28, 28).astype(np.uint8)).save(content, "PNG")
                archive.writestr(f"scans/{label}/{number:04}.png", content.getvalue())


def write_sounds(folder: Path) -> None:
    """Spoken digits, each in the folder of its digit."""
    with (SETS / "sounds" / "tiny_speech.zip").open("rb") as file, zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            if name.endswith(".flac"):
                samples, rate = soundfile.read(io.BytesIO(archive.read(name)), dtype="int16")
                path = folder / Path(name).with_suffix(".wav")
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, samples, rate)


def write_sentences(jsonl: Path, table: Path) -> None:
    """Definitions of nouns: what each is of, and, as a table, whether that lives."""
    with (SETS / "texts" / "tiny_text.csv.gz").open("rb") as file:
        rows = list(csv.DictReader(io.StringIO(gzip.decompress(file.read()).decode())))
    lines = (json.dumps({"sentence": row["text"], "about": row["label"]}, ensure_ascii=False) for row in rows)
    jsonl.write_text("\n".join(lines) + "\n", "utf-8")
    with table.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "definition", "lives"])
        writer.writerows(
            (f"n{place:04}", row["text"], "yes" if row["label"] in LIVING else "no") for place, row in enumerate(rows)
        )


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "monday")
    folder.mkdir(parents=True, exist_ok=True)
    write_pictures(folder / "scans.zip")
    write_sounds(folder / "spoken")
    write_sentences(folder / "sentences.jsonl", folder / "definitions.csv")
    digits = load_digits()
    np.savez_compressed(folder / "digits.npz", x=digits.images.astype(np.uint8), y=digits.target)


if __name__ == "__main__":
    main()
