from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.model_selection import train_test_split

from regcore.data.tables import row_findings
from regcore.data.tables.row_findings import SplitRows, from_rows

LABELS = ("no", "yes")


def rows(first: int, target: Any, **columns: Any) -> SplitRows:
    numbers = np.arange(first, first + len(target))
    return SplitRows(numbers, pa.table({name: pa.array(cells) for name, cells in columns.items()}), np.asarray(target))


def noise(num_rows: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "size": rng.normal(size=num_rows),
        "colour": [["red", "green", None][k] for k in rng.integers(3, size=num_rows)],
    }


def clean(num_rows: int = 200, num_test: int = 50) -> dict[str, SplitRows]:
    rng = np.random.default_rng(7)
    return {
        "train": rows(1, rng.integers(2, size=num_rows), **noise(num_rows, 1)),
        "test": rows(num_rows + 1, rng.integers(2, size=num_test), **noise(num_test, 2)),
    }


def codes(splits: Mapping[str, SplitRows], classes: Any = LABELS) -> list[str]:
    return [found.code for found in from_rows(splits, classes)]


@pytest.mark.parametrize("loader", [load_wine, load_breast_cancer, load_diabetes, load_iris])
@pytest.mark.parametrize("seed", range(3))
def test_clean_tables_raise_no_doubt(loader: Any, seed: int) -> None:
    x, y = loader(return_X_y=True)
    places = train_test_split(np.arange(len(y)), test_size=0.2, random_state=seed)
    splits = {
        name: SplitRows(own + 1, pa.table({f"column {k}": x[own, k] for k in range(x.shape[1])}), y[own])
        for name, own in zip(("train", "test"), places, strict=True)
    }
    names = getattr(loader(), "target_names", None)

    assert codes(splits, None if names is None else tuple(names)) == []


def test_a_class_in_the_train_split_alone_is_told() -> None:
    splits = {"train": rows(1, [0, 1, 2, 2], a=[1.0, 2, 3, 4]), "test": rows(5, [0, 1], a=[5.0, 6])}

    (found,) = from_rows(splits, ("low", "middle", "high"))

    assert found.code == "class_in_one_split"
    assert "'high'" in found.message
    assert "2 rows" in found.message


def test_the_same_rows_in_train_and_test_are_counted_and_named() -> None:
    splits = clean()
    copied = splits["train"].take(np.array([11, 30, 4]))
    own = splits["test"]
    splits["test"] = SplitRows(
        own.numbers,
        pa.concat_tables([own.columns.slice(0, 47), copied.columns]),
        np.concatenate([own.target[:47], copied.target]),
    )

    (found,) = from_rows(splits, LABELS)

    assert found.code == "rows_in_train_and_test"
    assert "3 of 50 test rows" in found.message
    assert "row 248 is row 12, row 249 is row 31, row 250 is row 5" in found.message


def test_copies_of_every_row_do_not_pass_for_chance() -> None:
    rng = np.random.default_rng(4)
    values, target = rng.normal(size=60), rng.integers(2, size=60)
    splits = {name: rows(first, target, a=values) for name, first in (("train", 1), ("test", 61))}

    (found,) = from_rows(splits, LABELS)

    assert "60 of 60 test rows" in found.message


def test_rows_of_a_coarse_table_are_alike_by_chance() -> None:
    rng = np.random.default_rng(3)
    splits = {
        name: rows(1, rng.integers(2, size=count), a=rng.integers(4, size=count) > 1, b=["x", "y"] * (count // 2))
        for name, count in (("train", 400), ("test", 100))
    }

    assert codes(splits) == []


def test_copies_are_found_in_a_sample_of_a_large_table(monkeypatch: pytest.MonkeyPatch) -> None:
    splits = clean(2_000, 1_000)
    splits["test"] = splits["train"].take(np.arange(1_000))
    monkeypatch.setattr(row_findings, "_MAX_CELLS", 3_000)

    (found,) = from_rows(splits, LABELS)

    assert found.code == "rows_in_train_and_test"
    counted, tested = found.message.split(" test rows")[0].split(" of ")
    assert counted == tested
    assert 100 < int(tested) < 700
    assert "In a sample of" in found.message


def test_columns_that_hold_the_same_are_told_with_the_patch_that_leaves_one_out() -> None:
    splits = clean()
    splits = {
        name: SplitRows(
            own.numbers,
            own.columns.append_column("same", own.columns["size"]).append_column("hue", own.columns["colour"]),
            own.target,
        )
        for name, own in splits.items()
    }

    found = from_rows(splits, LABELS)

    assert [(one.code, one.patch[0]["value"]) for one in found] == [
        ("duplicate_column", "same"),
        ("duplicate_column", "hue"),
    ]


def test_a_column_made_from_the_target_is_told_with_its_patch() -> None:
    splits = clean()
    splits = {
        name: SplitRows(
            own.numbers, own.columns.append_column("paid", pa.array(np.where(own.target, "x", "y"))), own.target
        )
        for name, own in splits.items()
    }

    (found,) = from_rows(splits, LABELS)

    assert found.code == "column_equals_target"
    assert found.patch == ({"op": "add", "path": "/data/exclude/-", "value": "paid"},)
