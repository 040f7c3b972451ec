"""What the rows of a table suggest that its owner may not have meant: leaks, copies, classes that no split shares.

Everything that judges a feature by the target reads the train split alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from regcore.data.tables.findings import excluding, names_of, together
from regcore.data.tables.telling import Codes, codes_of, telling_alone
from regcore.doubts import Doubt

_MAX_CELLS: Final = 20_000_000
"""Cells that are compared; of larger tables a sample of the rows is."""
_MAX_JUDGED_CELLS: Final = 5_000_000
"""Cells of the train split that are compared with the target, which needs sorting."""
_NUM_KEY_COLUMNS: Final = 8
"""Columns that decide whether a row is in the sample."""
_FEWEST_COPIES: Final = 2
_MAX_EXPECTED_SHARE: Final = 0.1
"""Copies are told if chance explains at most this share of them."""
_MAX_EXAMPLES: Final = 3
_SEED: Final = 0
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, eq=False)
class SplitRows:
    """Rows of one split.

    Attributes:
        numbers: Their numbers in the file, from 1, (N,).
        columns: The features, read as their types: numbers, booleans, text, dates; a gap is null.
        target: Class numbers, or values in the target's own unit, (N,).
    """

    numbers: NDArray[np.int64]
    columns: pa.Table
    target: NDArray[Any]

    def take(self, places: NDArray[np.int64]) -> "SplitRows":
        """Some of the rows."""
        return SplitRows(self.numbers[places], self.columns.take(pa.array(places)), self.target[places])


def from_rows(
    splits: Mapping[str, SplitRows],
    classes: Sequence[str] | None,
    *,
    has_target: bool = True,
    judges_columns: bool = True,
) -> list[Doubt]:
    """What is doubtful about these splits. The time is bounded: of a large table a sample is read, and said.

    Args:
        splits: `train`, and `validation` and `test` where they have rows; all with the same columns.
        classes: Labels in the order of the class numbers; None without classes.
        has_target: Whether rows have a target, which a column may give away.
        judges_columns: Whether a column stands for one quantity; images, texts and sounds do not.
    """
    judged, sampled = _sample(splits["train"], _MAX_JUDGED_CELLS)
    return [
        *(_classes_apart(splits, classes) if classes is not None else []),
        *(_leaks(judged, classes, sampled) if has_target and judges_columns else []),
        *(_copied_columns(judged, sampled) if judges_columns else []),
        *_copied_rows(splits),
    ]


def comparable(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """The cells, or of images and sounds a digest of each: rows are only told from each other, and files are large."""
    kind = cells.type
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)):
        return cells
    digested = (
        [blake2b(cell.as_buffer(), digest_size=_DIGEST_BYTES).digest() for cell in chunk] for chunk in cells.chunks
    )
    return pa.chunked_array([pa.array(chunk, pa.binary()) for chunk in digested], pa.binary())


def _sample(rows: SplitRows, max_cells: int) -> tuple[SplitRows, str]:
    """The rows, or a sample of them with what to say about it."""
    most = max(1_000, max_cells // max(1, rows.columns.num_columns))
    if len(rows.numbers) <= most:
        return rows, ""
    drawn = np.sort(np.random.default_rng(_SEED).permutation(len(rows.numbers))[:most])
    return rows.take(drawn), f" In a sample of {most:,} of {len(rows.numbers):,} rows."


def _classes_apart(splits: Mapping[str, SplitRows], classes: Sequence[str]) -> Iterator[Doubt]:
    """Classes that are in one split alone, though there are several."""
    if len(splits) == 1:
        return
    counts = {name: np.bincount(rows.target.astype(np.int64), minlength=len(classes)) for name, rows in splits.items()}
    for name, own in counts.items():
        others = sum(count for other, count in counts.items() if other != name)
        alone = np.flatnonzero((own > 0) & (others == 0))
        if len(alone):
            labels = names_of(classes[int(k)] for k in alone)
            rest = "nothing tests how they are told" if name == "train" else "the network never learns them"
            yield Doubt(
                "/data/target",
                "class_in_one_split",
                f"Rows of {labels} are in the {name} split alone ({int(own[alone].sum()):,} rows): {rest}.",
                "Add rows of them, leave their rows out, or split otherwise (data.split_seed, data.split_column).",
            )


def _leaks(train: SplitRows, classes: Sequence[str] | None, sampled: str) -> Iterator[Doubt]:
    """Columns that alone give the target away."""
    num_classes = None if classes is None else len(classes)
    found: dict[str, Doubt] = {}
    for name in train.columns.column_names:
        said = telling_alone(train.columns[name], train.target, num_classes)
        if said is not None:
            found[name] = Doubt(
                "/data/exclude",
                "column_equals_target",
                f"{name!r} {said} on {len(train.target):,} train rows.{sampled}",
                "If it is known only once the target is, leave it out: it will not be there when it is needed.",
                excluding(name),
            )
    return together([*found], found.values())


def _copied_columns(rows: SplitRows, sampled: str) -> Iterator[Doubt]:
    """Columns that hold the same as an earlier one."""
    first: dict[tuple[str, bytes], str] = {}
    found: dict[str, Doubt] = {}
    for name in rows.columns.column_names:
        codes, values = codes_of(rows.columns[name])
        if codes.min() == codes.max():
            continue  # constant columns are alike, and are told as such
        original = first.setdefault((str(values.type), _digest(codes, values)), name)
        if original != name:
            found[name] = Doubt(
                "/data/exclude",
                "duplicate_column",
                f"{name!r} holds the same as {original!r} in every row.{sampled}",
                "Leave one of them out: together they count twice, and penalties share out between them.",
                excluding(name),
            )
    return together([*found], found.values())


def _digest(codes: Codes, values: pa.Array) -> bytes:
    """Equal for columns of one type that hold the same."""
    seen = blake2b(codes.tobytes())
    for buffer in values.buffers():
        seen.update(buffer if buffer is not None else b"")
    return seen.digest()


def _copied_rows(splits: Mapping[str, SplitRows]) -> Iterator[Doubt]:
    """Rows, targets included, that stand in the train split and in another."""
    for name in (name for name in splits if name != "train"):
        (train, rows), sampled = _sample_copies(splits["train"], splits[name])
        prints, chance = _fingerprints([train, rows], train.columns.column_names)
        own, known = prints[len(train.numbers) :], prints[: len(train.numbers)]
        if not len(own) or not len(known):
            continue
        order = np.argsort(known, kind="stable")
        places = np.minimum(np.searchsorted(known[order], own), len(known) - 1)
        copies = np.flatnonzero(known[order][places] == own)
        expected = len(own) * min(1.0, len(known) * chance)
        if len(copies) < _FEWEST_COPIES or expected > _MAX_EXPECTED_SHARE * len(copies):
            continue
        pairs = [(int(rows.numbers[k]), int(train.numbers[order[places[k]]])) for k in copies[:_MAX_EXAMPLES]]
        examples = ", ".join(f"row {copy:,} is row {original:,}" for copy, original in pairs)
        yield Doubt(
            "/data",
            f"rows_in_train_and_{name}",
            f"{len(copies):,} of {len(own):,} {name} rows stand in the train split too, target and all: "
            f"{examples}.{sampled}",
            "Leave copies out of the file, or keep them together: a column that numbers what they are copies of, as "
            "data.group_column.",
        )


def _sample_copies(train: SplitRows, rows: SplitRows) -> tuple[list[SplitRows], str]:
    """Both splits, or of each a sample that holds a row's copies if it holds the row, with what to say about it."""
    num_cells = (len(train.numbers) + len(rows.numbers)) * (train.columns.num_columns + 1)
    if num_cells <= _MAX_CELLS:
        return [train, rows], ""
    # Rows are drawn by what they hold, so that equal rows are drawn together.
    prints, _ = _fingerprints([train, rows], train.columns.column_names[:_NUM_KEY_COLUMNS])
    is_drawn = prints % np.uint64(_MAX_CELLS) < np.uint64(_MAX_CELLS * _MAX_CELLS // num_cells)
    own, others = np.flatnonzero(is_drawn[: len(train.numbers)]), np.flatnonzero(is_drawn[len(train.numbers) :])
    said = f" In a sample of {len(own):,} train rows and {len(others):,} others."
    return [train.take(own), rows.take(others)], said


def _fingerprints(parts: Sequence[SplitRows], names: Sequence[str]) -> tuple[NDArray[np.uint64], float]:
    """A number for each row that is equal for rows that agree in these columns and the target, and chance's part.

    That is the share of pairs of different rows that agree in a column, multiplied over the columns as if these were
    independent. Pairs that agree in all of them are left out: copies must not pass for chance.
    """
    columns = pa.concat_tables([part.columns.select(names) for part in parts], promote_options="permissive")
    prints = np.zeros(columns.num_rows, np.uint64)
    agreeing = []
    target = pa.chunked_array([pa.array(np.concatenate([part.target for part in parts]))])
    for column in [*columns.columns, target]:
        codes, values = codes_of(column)
        agreeing.append(_num_pairs(np.bincount(codes + 1, minlength=len(values) + 1)))
        prints = _mixed(prints ^ _mixed(codes.astype(np.uint64)))
    copies = _num_pairs(np.unique(prints, return_counts=True)[1])
    different = len(prints) * (len(prints) - 1) - copies
    if different <= 0:
        return prints, 1.0
    return prints, float(np.prod([(pairs - copies) / different for pairs in agreeing]))


def _num_pairs(counts: NDArray[np.int64]) -> float:
    """Ordered pairs of rows of one value, of so many rows for each value."""
    return float((counts.astype(np.float64) * (counts - 1)).sum())


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread the bits of each number over all of its bits. Source: Steele, Lea & Flood 2014 (SplitMix64)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
