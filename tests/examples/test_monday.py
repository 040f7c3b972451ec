"""The files of the tutorial, as `examples/monday.py` makes them."""

import runpy
import sys
from pathlib import Path

import pytest

from regcore.data.files.read import read_folder
from regcore.data.tables.read import read_file

SCRIPT = Path(__file__).parents[2] / "examples" / "monday.py"


def test_the_five_files_of_the_tutorial_are_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(tmp_path)])

    runpy.run_path(str(SCRIPT), run_name="__main__")

    names = ("scans.zip", "sentences.jsonl", "definitions.csv", "digits.npz")
    read = {name: read_file(tmp_path / name).facts for name in names}
    read["spoken"] = read_folder(tmp_path / "spoken", lambda share: None).facts
    assert {name: (facts.modality, facts.num_rows, len(facts.warnings)) for name, facts in read.items()} == {
        "scans.zip": ("image", 600, 0),
        "sentences.jsonl": ("text", 2400, 0),
        "definitions.csv": ("text", 2400, 1),  # of its identifiers
        "digits.npz": ("image", 1797, 0),
        "spoken": ("audio", 400, 0),
    }
