from typing import Any
from xml.etree import ElementTree

from regcore.pictures.confused_pairs import confused_pairs

SVG = "{http://www.w3.org/2000/svg}"


def pair(label: str, predicted: str, num_rows: int) -> dict[str, Any]:
    return {"label": label, "predicted": predicted, "num_rows": num_rows, "share": 0.125}


def drawn(*pairs: dict[str, Any], accuracy: float | None = 0.75) -> ElementTree.Element:
    return ElementTree.fromstring(confused_pairs(pairs, "test", 1200, accuracy))  # noqa: S314 # written here


def test_bars_are_as_long_as_pairs_have_rows() -> None:
    root = drawn(pair("a", "b", 40), pair("b", "a", 10), pair("c", "a", 1))

    lengths = [float(bar.get("width")) for bar in root.iter(f"{SVG}rect") if bar.get("class") == "wrong"]
    assert [length / lengths[0] for length in lengths] == [1, 0.25, 0.025]


def test_long_counts_lie_inside_of_the_picture() -> None:
    root = drawn(pair("x" * 300, "y" * 300, 123_456_789))

    (bar,) = (bar for bar in root.iter(f"{SVG}rect") if bar.get("class") == "wrong")
    assert float(bar.get("x")) + float(bar.get("width")) + 6 + 7 * len("123,456,789 rows, 12.5 % of the class") < float(
        root.get("width")
    )


def test_the_first_pairs_are_told_to_people_who_do_not_see_them() -> None:
    root = drawn(*(pair(label, "z", 2 - (label == "d")) for label in "abcd"))

    assert root.find(f"{SVG}desc").text == (
        "75 % of the rows are right; of 1,200 classes, the pairs with the most wrong rows. Most often: "
        "a for z (2 rows, 12.5 % of the class), b for z (2 rows, 12.5 % of the class), "
        "c for z (2 rows, 12.5 % of the class)."
    )


def test_without_an_error_that_is_said() -> None:
    assert drawn(accuracy=1.0).find(f"{SVG}desc").text == (
        "100 % of the rows are right; no class of 1,200 is taken for another."
    )
    assert drawn(accuracy=None).find(f"{SVG}desc").text == "no class of 1,200 is taken for another."
