from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from regcore.pictures.confusion_matrix import MAX_CLASSES, confusion_picture

SVG = "{http://www.w3.org/2000/svg}"
WEIRD = ["<script>alert(1)</script>", "قطة صغيرة", "👩‍👩‍👧‍👦", "x" * 200, "", "bell\x07", 'a "b" & c']


def report(labels: list[str], counts: np.ndarray, *, split: str = "test") -> dict[str, Any]:
    pairs = [
        {"label": labels[k], "predicted": labels[j], "num_rows": int(counts[k, j]), "share": 0.25}
        for k, j in np.argwhere(counts * (1 - np.eye(len(labels), dtype=int)))
    ]
    return {
        "confusion_matrix": {split: {"labels": labels, "counts": counts.tolist()}},
        "most_confused": {split: pairs[:25]},
        "classes": {split: [{"label": label} for label in labels]},
        "num_classes_left_out": 0,
        "metrics": {split: {"accuracy": {"value": 0.875}}},
    }


def drawn(labels: list[str], counts: np.ndarray | None = None, **more: Any) -> ElementTree.Element:
    if counts is None:
        counts = np.random.default_rng(0).integers(0, 30, (len(labels), len(labels)))
    picture = confusion_picture(report(labels, counts, **more))
    assert picture is not None
    return ElementTree.fromstring(picture)  # noqa: S314 # written here


def texts(root: ElementTree.Element) -> list[str]:
    return [
        "".join(one.itertext()) if one.find(f"{SVG}title") is None else one[0].tail for one in root.iter(f"{SVG}text")
    ]


def cells(root: ElementTree.Element) -> list[ElementTree.Element]:
    return [one for one in root.iter(f"{SVG}rect") if one.find(f"{SVG}title") is not None]


def test_each_cell_has_its_count_and_the_shade_of_its_share() -> None:
    root = drawn(["no", "yes"], np.array([[75, 25], [0, 40]]))

    hints = {cell[0].text: cell.get("fill-opacity") for cell in cells(root) if "→" in (cell[0].text or "")}
    assert hints == {
        "no → no: 75 rows, 75 % of the class": "0.87",
        "no → yes: 25 rows, 25 % of the class": "0.5",
        "yes → yes: 40 rows, 100 % of the class": None,
    }
    assert [one.text for one in root.find(f"{SVG}g").iter(f"{SVG}text")] == ["75", "25", "40"]


def test_people_who_do_not_see_it_are_told_what_it_shows() -> None:
    root = drawn(["no", "yes"], np.array([[75, 25], [1, 40]]))

    assert root.get("role") == "img"
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert title.text == "Confusion matrix, test split"
    assert description.text == (
        "115 of 141 rows are right (81.6 %). Most often taken for another: no for yes (25 rows), yes for no (1 row)."
    )


@pytest.mark.parametrize("num_classes", [2, len(WEIRD), MAX_CLASSES, MAX_CLASSES + 1, 1000])
def test_nothing_lies_outside_of_the_picture_or_runs(num_classes: int) -> None:
    labels = [WEIRD[k % len(WEIRD)] + str(k // len(WEIRD) or "") for k in range(num_classes)]

    root = drawn(labels)

    assert not list(root.iter(f"{SVG}script"))
    assert not [name for one in root.iter() for name in one.attrib if name.startswith("on") or name.endswith("href")]
    width, height = float(root.get("width")), float(root.get("height"))
    for box in list(root.iter(f"{SVG}rect"))[1:]:
        x, y, w, h = (float(box.get(name)) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height


@pytest.mark.parametrize("num_classes", [2, MAX_CLASSES + 1])
def test_cells_and_bars_do_not_overlap(num_classes: int) -> None:
    root = drawn([str(k) for k in range(num_classes)])

    places = [
        tuple(float(box.get(name)) for name in ("x", "y", "width", "height"))
        for box in list(root.iter(f"{SVG}rect"))[1:]
        if box.get("class") != "frame"
    ]
    for k, (x, y, width, height) in enumerate(places):
        for left, top, w, h in places[:k]:
            assert x >= left + w or left >= x + width or y >= top + h or top >= y + height


def test_a_label_that_is_cut_is_whole_where_the_pointer_rests() -> None:
    root = drawn(["x" * 200, "b"])

    assert [one[0].text for one in root.iter(f"{SVG}text") if len(one)] == ["x" * 200] * 2  # its line and its column
    assert all(len(said) < 40 for said in texts(root) if said.startswith("x"))


def test_of_many_classes_the_pairs_are_drawn() -> None:
    labels, counts = [f"c{k}" for k in range(MAX_CLASSES + 1)], np.diag(np.full(MAX_CLASSES + 1, 100))
    counts[3, 7] = 40

    said = texts(drawn(labels, counts))

    assert said[said.index("c3") :] == ["c3", "→", "c7", "40 rows, 25 % of the class"]
    assert "87.5 % of the rows are right; of 41 classes, the pairs with the most wrong rows" in said


def test_counts_that_do_not_fit_into_a_cell_are_shortened() -> None:
    root = drawn(["a", "b"], np.array([[78_024_192, 1_500], [2, 12_345_678_901]]))

    assert {"78M", "1,500", "12G", "2"} <= set(texts(root))


def test_the_split_that_training_used_least_is_drawn() -> None:
    found = report(["a", "b"], np.eye(2, dtype=int), split="validation")
    found["confusion_matrix"]["train"] = None

    assert "validation split" in (confusion_picture(found) or "")


@pytest.mark.parametrize("found", [{}, {"confusion_matrix": {}}], ids=["no classification", "no labels"])
def test_without_classes_there_is_no_picture(found: dict[str, Any]) -> None:
    assert confusion_picture(found) is None
