"""From the facts of a table and a spec to the facts of a run: target, features, classes, width and rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from regcore.data.facts import DataFacts, FactsOf
from regcore.data.files.names import SPLIT
from regcore.data.inputs import Inputs
from regcore.data.modalities import choose_inputs
from regcore.data.split import SplitSizes, split_sizes
from regcore.data.tables.facts import ColumnFacts, TableFacts
from regcore.data.tables.features import Feature, check_known
from regcore.data.tables.groups import SPLITS, assign_groups
from regcore.data.tables.inputs import TableInputs
from regcore.data.tables.target import Target, choose_target
from regcore.data.tables.words import is_no_label
from regcore.doubts import Doubt
from regcore.errors import FieldError, SpecError, shortened

FindRow = Callable[[str, str | None], int | None]
"""Column and spelling, or None for a gap, to the first row that holds it, from 1; None if rows are not at hand."""
_MAX_TOLD: Final = 10
_TOLD_BY_FINDINGS: Final = ("identifier_column", "text_column")
"""What the reader says of a column of text, as `from_facts` does."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a spec takes from a table.

    Attributes:
        target: What is predicted; None if the spec asks for no target.
        inputs: What it is predicted from.
        target_name: The column that is called the target, and so is no feature; None if there is none.
    """

    target: Target | None
    inputs: Inputs
    target_name: str | None

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Labels in the order of the outputs; None without classes."""
        return None if self.target is None or self.target.counts is None else tuple(self.target.counts)


def table_facts_of(table: TableFacts, name: str) -> FactsOf:
    """Finds the facts of specs on this table, with no row read.

    Args:
        table: Its facts.
        name: What messages call it.
    """

    def facts_of(spec: Any, /) -> DataFacts:
        chosen = choose(table, spec)
        return facts_of_chosen(chosen, table, spec, name, row_counts=_row_counts(chosen, table, spec.data))

    return facts_of


def facts_of_chosen(
    chosen: Chosen,
    table: TableFacts,
    spec: Any,
    name: str,
    *,
    row_counts: SplitSizes | None,
    num_rows: int | None = None,
) -> DataFacts:
    """What a plan must know.

    Args:
        chosen: The spec's columns.
        table: The facts of the table.
        spec: The spec.
        name: What messages call the table.
        row_counts: Rows of each split where fractions do not decide it.
        num_rows: Rows with a target, where they were counted; None for what the facts say.
    """
    target = chosen.target
    said_rows = table.num_rows if target is None else target.num_rows
    row = chosen.inputs.row
    return DataFacts(
        name=name,
        modality=chosen.inputs.modality,
        feature_shape=row.shape,
        tokens=row.tokens,
        varies=row.varies,
        features=chosen.inputs.features,
        classes=chosen.classes,
        num_rows=said_rows if num_rows is None else num_rows,
        row_counts=row_counts,
        doubts=(
            *_of_the_file(chosen, table, spec.data),
            *_rows_left_out(chosen, table, num_rows),
            *_split_unused(table, spec.data),
            *chosen.inputs.doubts(
                table,
                spec,
                target=chosen.target_name,
                class_counts=None if target is None else target.counts,
            ),
        ),
    )


def choose(
    table: TableFacts, spec: Any, *, find_row: FindRow = lambda column, text: None, draws_rows: bool = True
) -> Chosen:
    """The columns that a spec takes.

    Args:
        table: The facts of the table.
        spec: A spec whose data are of kind dataset, file or arrays.
        find_row: Finds rows to name in messages.
        draws_rows: Whether any split is drawn by fractions.

    Raises:
        SpecError: They do not fit the table; every place is named.
    """
    errors: list[FieldError] = []
    # A reconstruction predicts the rows; what is called a target is still no feature.
    wants_target = spec.task.predicts != "rows"
    target = choose_target(table, spec, errors) if wants_target else None
    name = spec.data.target or table.default_target if target is None else target.name
    names = [column.name for column in table.columns]
    if name is not None and not wants_target:
        check_known(name, names, "/data/target", errors)
    inputs = choose_inputs(table, spec.data, name, errors)
    if isinstance(inputs, TableInputs) and inputs.features.missing == "error":
        _refuse_gaps(inputs.chosen, find_row, errors)
    for field in ("split_column", "group_column"):
        wanted = getattr(spec.data, field)
        if wanted is not None:
            check_known(wanted, names, f"/data/{field}", errors)
    _check_split_column(table, spec.data, find_row, errors)
    if target is not None and draws_rows:
        _check_smallest_class(target, spec.data, errors)
    if errors:
        raise SpecError(errors)
    assert inputs is not None, "why there are none was said"
    return Chosen(target, inputs, name)


def _refuse_gaps(features: Sequence[Feature], find_row: FindRow, errors: list[FieldError]) -> None:
    for feature in [one for one in features if one.has_gaps][:_MAX_TOLD]:
        row = find_row(feature.name, None)
        first = "" if row is None else f", the first in row {row:,}"
        message = (
            f'features.missing is "error", and {feature.name!r} has '
            f"{feature.reading.num_missing + feature.reading.num_unreadable:,} gaps{first}. Use mean or median, or "
            "exclude the column."
        )
        errors.append(FieldError("/data/features/missing", "gaps_refused", message))


def _check_split_column(table: TableFacts, data: Any, find_row: FindRow, errors: list[FieldError]) -> None:
    column = None if data.split_column is None else table.column(data.split_column)
    if column is None:
        return
    if data.group_column is not None:
        message = "data.split_column says the split of every row, so data.group_column cannot. Leave one of them out."
        errors.append(FieldError("/data/group_column", "column_twice", message))
    wrong = ["" for _ in range(column.readings["category"].num_missing > 0)]
    wrong += [text for text in column.values or {} if text not in SPLITS]
    if column.values is None or wrong:
        held = [_in_row(text, find_row(column.name, text or None)) for text in (wrong or column.examples)[:3]]
        message = (
            f"data.split_column must hold train, validation or test in each row; {column.name!r} holds "
            f"{shortened(', '.join(held), 300)}. Correct these cells, or name another column."
        )
        errors.append(FieldError("/data/split_column", "unknown_split", message))
    elif "train" not in column.values:
        message = f"no row of {column.name!r} says train, so there are none to train on. Name another column."
        errors.append(FieldError("/data/split_column", "empty_split", message))


def _in_row(text: str, row: int | None) -> str:
    said = repr(text) if text else "an empty cell"
    return said if row is None else f"{said} in row {row:,}"


def _check_smallest_class(target: Target, data: Any, errors: list[FieldError]) -> None:
    if target.counts is None or data.split_column is not None or data.group_column is not None:
        return
    num_splits = 1 + (data.test_fraction > 0) + (data.validation_fraction > 0)
    small = [f"{label!r} ({count})" for label, count in target.counts.items() if count < num_splits]
    if small:
        amount = ' If it is an amount, set task.kind to "regression".' if target.type == "number" else ""
        message = (
            f"each class of {target.name!r} needs a row for each of {num_splits} splits; these have fewer: "
            f"{shortened(', '.join(small), 300)}. Leave their rows out, pool them, or set a fraction to 0.{amount}"
        )
        errors.append(FieldError("/data/target", "class_too_small", message))


def _row_counts(chosen: Chosen, table: TableFacts, data: Any) -> SplitSizes | None:
    """Rows of each split where fractions do not decide it, as far as the facts tell."""
    if data.split_column is not None:
        target = None if chosen.target is None else table.column(chosen.target.name)
        split = table.column(data.split_column)
        assert split is not None, "it has been checked"
        present = {} if target is None else target.present_by_split
        counts = present.get(data.split_column) or split.values or {}
        return limited(SplitSizes(*(counts.get(name, 0) for name in SPLITS)), data.train_limit)
    groups = None if data.group_column is None else table.column(data.group_column)
    if groups is None or groups.values is None:  # more groups than the facts count: about what the fractions say
        return None
    sizes = _group_sizes(groups)
    assigned = assign_groups(sizes, data)
    rows = {name: sum(sizes[group] for group, split in assigned.items() if split == name) for name in SPLITS}
    if (
        chosen.target is not None and chosen.target.num_rows < table.num_rows
    ):  # rows without a target are left out, and may be of any group
        return split_sizes(chosen.target.num_rows, data)
    return limited(SplitSizes(**rows), data.train_limit)


def _group_sizes(column: ColumnFacts) -> dict[str, int]:
    """Rows of each group. Rows without one are a group together, so that they cannot straddle either."""
    missing = column.readings["category"].num_missing
    return {**(column.values or {}), **({"": missing} if missing else {})}


def limited(sizes: SplitSizes, train_limit: int | None) -> SplitSizes:
    """The same with at most so many train rows."""
    return sizes if train_limit is None else sizes._replace(train=min(sizes.train, train_limit))


def _of_the_file(chosen: Chosen, table: TableFacts, data: Any) -> list[Doubt]:
    """What was noticed when the file was read, of the columns that are used."""
    used = {*chosen.inputs.names} | ({chosen.target.name} if chosen.target else set())
    used |= {column.name for column in table.columns if column.type == "text"} - {*data.exclude, *data.types}
    return [
        Doubt("/data", warning.code, warning.message, warning.remedy)
        for warning in table.warnings
        if warning.code not in _TOLD_BY_FINDINGS and (warning.column is None or warning.column in used - {*data.types})
    ]


def _split_unused(table: TableFacts, data: Any) -> list[Doubt]:
    """Whether folders or pairs of files say the split of each row, and a spec draws it nevertheless."""
    is_said = table.format in ("folder", "zip", "idx") and table.column(SPLIT) is not None
    if not is_said or data.split_column is not None or SPLIT in data.exclude:
        return []
    return [
        Doubt(
            "/data/split_column",
            "split_not_used",
            f"The set says the split of each row in its column {SPLIT!r}, and the splits are drawn anew.",
            f"Say split_column: {SPLIT!r}, or exclude {SPLIT!r} if that is meant.",
            ({"op": "replace", "path": "/data/split_column", "value": SPLIT},),
        )
    ]


def _rows_left_out(chosen: Chosen, table: TableFacts, num_rows: int | None) -> list[Doubt]:
    if chosen.target is None:
        return []
    left_out = table.num_rows - (chosen.target.num_rows if num_rows is None else num_rows)
    if left_out <= 0:
        return []
    column = table.column(chosen.target.name)
    values = {} if column is None else column.values or {}
    words = [repr(text) for text in values if is_no_label(text)]
    held = f" ({', '.join(words[:5])} or empty)" if words else ""
    return [
        Doubt(
            "/data/target",
            "rows_without_target",
            f"{left_out:,} of {table.num_rows:,} rows have no {chosen.target.name!r}{held} and are left out.",
            "Fill in their targets if they are known.",
        )
    ]
