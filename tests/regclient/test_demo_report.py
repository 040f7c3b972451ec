import io
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console

from regclient.demo_report import comparison_table, draw_curves, num_zeros, weight_norm

JOB: dict[str, Any] = {
    "name": "L1",
    "started_at": "2026-11-23T07:41:09.000Z",
    "finished_at": "2026-11-23T07:41:11.500Z",
    "plan": {"parameters": [{"name": "a.weight", "shape": [10, 100]}, {"name": "a.bias", "shape": [10]}]},
    "result": {
        "metrics": {"train/loss": 0.1, "test/loss": 0.3, "test/accuracy": 0.95},
        "generalization_gap": 0.2,
        "sparsity": 0.25,
    },
}
REPORT = {
    "metrics": {"test": {"accuracy": {"value": 0.95, "low": 0.93, "high": 0.96}}},
    "norms": {"a": {"l2": 3.0}, "b": {"l2": 4.0}},
}


def test_zeros_are_counted_over_weights_not_biases() -> None:
    assert num_zeros(JOB) == 250


def test_the_norm_is_that_of_all_layers_together() -> None:
    assert weight_norm(REPORT) == 5.0


def test_the_table_shows_every_digit_on_80_columns() -> None:
    largest = {**JOB, "name": "dropout", "result": {**JOB["result"], "sparsity": 1.0}}
    largest["plan"] = {"parameters": [{"name": "a.weight", "shape": [784, 128]}]}
    console = Console(width=80, file=io.StringIO())

    console.print(comparison_table([(JOB, REPORT), (largest, REPORT)]))

    text = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO above
    for expected in ("0.1000", "0.3000", "0.2000", "95.0 [93.0, 96.0]", "250", "5.0", "2.5 s", "100,352", "dropout"):
        assert expected in text
    assert "…" not in text


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    rows = [{"epoch": epoch, "values": {"train/loss": 1 / epoch, "test/loss": 0.5}} for epoch in (1, 2, 3)]

    draw_curves(dict.fromkeys(("none", "L1", "L2", "dropout"), rows), tmp_path / "demo.png")

    with Image.open(tmp_path / "demo.png") as picture:
        assert picture.width > 3 * picture.height
