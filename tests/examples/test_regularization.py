"""The notebook's cells run from top to bottom, as a reader would run them."""

import json
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).parents[2] / "examples" / "regularization.ipynb"


def test_every_cell_runs_and_regularization_shows() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {}

    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)  # noqa: S102 - our own notebook

    results = names["results"]
    assert results["l1"].report["sparsity"]["overall"] > 0.1
    assert results["none"].report["sparsity"]["overall"] == 0
    gaps = {name: result.metrics["test/loss"] - result.metrics["train/loss"] for name, result in results.items()}
    assert all(gap < gaps["none"] for name, gap in gaps.items() if name != "none")


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]

    assert all(cell["outputs"] == [] for cell in cells if cell["cell_type"] == "code")
