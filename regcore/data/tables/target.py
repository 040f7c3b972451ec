"""The column that is predicted: as classes, or as a number."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from regcore.data.tables.facts import MAX_VALUES, ColumnFacts, ColumnType, Reading, TableFacts
from regcore.data.tables.features import check_known, reading_of
from regcore.data.tables.words import BOOLEAN_WORDS, is_no_label
from regcore.errors import FieldError, shortened

MAX_NUMBER_CLASSES: Final = 20
"""Whole numbers of at most so many values are classes."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is predicted.

    Attributes:
        name: Of the column.
        type: What its cells are read as.
        reading: How.
        counts: Of classes the rows of each, by its label as spelled in the file, in the order of the outputs; None for
            numbers.
        num_rows: Rows that have a target, as far as the facts tell.
    """

    name: str
    type: ColumnType
    reading: Reading
    counts: dict[str, int] | None
    num_rows: int


def choose_target(table: TableFacts, spec: Any, errors: list[FieldError]) -> Target | None:
    """The target of a spec; None if there is none, or it cannot be learned, and `errors` says why."""
    column = _column(table, spec.data, errors)
    if column is None:
        return None
    known = len(errors)
    type, reading = reading_of(column, spec.data, errors)
    if len(errors) > known:
        return None
    if reading is None:  # text and columns to ignore: as categories they may be classes
        type, reading = "category", column.readings["category"]
    if type == "date":
        message = f"{column.name!r} holds dates, which cannot be predicted. Name another target, or say in data.types "
        errors.append(FieldError("/data/target", "unfit_target", message + "that it is a category."))
        return None
    if _has_classes(column, type, reading, spec):
        return _classes(column, type, reading, errors)
    return _numbers(table, column, type, reading, errors)


def _column(table: TableFacts, data: Any, errors: list[FieldError]) -> ColumnFacts | None:
    names = [column.name for column in table.columns]
    name = data.target if data.target is not None else table.default_target
    if name is None:
        listed = shortened(", ".join(map(repr, names)), 500)
        message = f"data.target is required and is missing. Name the column to predict: one of {listed}."
        errors.append(FieldError("/data/target", "missing_field", message))
        return None
    if not check_known(name, names, "/data/target", errors):
        return None
    for pointer, other in (("/data/split_column", data.split_column), ("/data/group_column", data.group_column)):
        if other == name:
            message = f"{name!r} is the target and cannot be the {pointer.rpartition('/')[2]} too. Name another column."
            errors.append(FieldError(pointer, "column_twice", message))
    if name in data.exclude:
        message = f"{name!r} is the target, which is never a feature. Leave it out of data.exclude."
        errors.append(FieldError(f"/data/exclude/{data.exclude.index(name)}", "column_twice", message))
    return table.column(name)


def _has_classes(column: ColumnFacts, type: ColumnType, reading: Reading, spec: Any) -> bool:
    """Whether classes are predicted: as the spec asks; by default of all but numbers, and of few whole ones."""
    if spec.task.predicts is not None:
        return bool(spec.task.predicts == "classes")
    few = reading.is_whole and reading.num_distinct <= MAX_NUMBER_CLASSES and column.values is not None
    is_amount = not few or column.name in spec.data.types
    return type != "number" or not is_amount


def _numbers(
    table: TableFacts, column: ColumnFacts, type: ColumnType, reading: Reading, errors: list[FieldError]
) -> Target | None:
    number = column.readings.get("number")
    if type == "boolean" and number is not None and not number.num_unreadable:  # a column of 0 and 1
        type, reading = "number", number
    if type != "number":
        instead = (
            f"data.types can say that it is a number{_left_out(number)}"
            if number is not None
            else "Leave task.kind out for a classification"
        )
        message = f"task.kind regression needs numbers, and {column.name!r} is read as {type}. {instead}."
        errors.append(FieldError("/task/kind", "task_mismatch", message))
        return None
    num_rows = table.num_rows - reading.num_missing - reading.num_unreadable
    if num_rows <= 0:
        _no_values(column, errors)
        return None
    return Target(column.name, type, reading, None, num_rows)


def _left_out(number: Reading) -> str:
    return f", which leaves out {number.num_unreadable:,} cells that are none" if number.num_unreadable else ""


def _no_values(column: ColumnFacts, errors: list[FieldError]) -> None:
    message = f"no row has a target: every cell of {column.name!r} is a gap. Name another column."
    errors.append(FieldError("/data/target", "no_target_values", message))


def _classes(column: ColumnFacts, type: ColumnType, reading: Reading, errors: list[FieldError]) -> Target | None:
    if column.values is None:
        _too_many(column, reading.num_distinct, None, errors)
        return None
    counts = _class_counts(column.values, type, reading)
    num_rows = sum(counts.values())
    if not counts:
        _no_values(column, errors)
    elif len(counts) == 1:
        message = f"{column.name!r} has one class alone, {next(iter(counts))!r}; there is nothing to tell apart."
        errors.append(FieldError("/data/target", "one_class", f"{message} Name another column."))
    elif len(counts) > MAX_VALUES or len(counts) > num_rows / 2:
        _too_many(column, len(counts), num_rows, errors)
    else:
        return Target(column.name, type, reading, counts, num_rows)
    return None


def _too_many(column: ColumnFacts, num_classes: int, num_rows: int | None, errors: list[FieldError]) -> None:
    most = f"{MAX_VALUES:,}" if num_rows is None or num_classes > MAX_VALUES else f"half of its {num_rows:,} rows"
    number = column.readings.get("number")
    offer = (
        'If it is an amount, set task.kind to "regression".'
        if number is not None and column.type == "number"
        else f"If it is an amount, say types: {{{column.name!r}: 'number'}}."
        if number is not None
        else "Name another column, or pool its rare values in the file."
    )
    message = f"{column.name!r} has {num_classes:,} classes, more than {most}. {offer}"
    errors.append(FieldError("/data/target", "too_many_classes", message))


def _class_counts(values: dict[str, int], type: ColumnType, reading: Reading) -> dict[str, int]:
    """Rows by class. Spellings of one number or truth value are one class, named as most rows spell it."""
    spellings: dict[Any, Counter[str]] = {}
    for text, count in values.items():
        meaning = None if is_no_label(text) else _meaning(text, type, reading)
        if meaning is not None:
            spellings.setdefault(meaning, Counter())[text] += count
    by_label = {counter.most_common(1)[0][0]: (key, counter.total()) for key, counter in spellings.items()}
    labels = sorted(by_label, key=lambda label: by_label[label][0]) if type == "number" else sort_labels(by_label)
    return {label: by_label[label][1] for label in labels}


def _meaning(text: str, type: ColumnType, reading: Reading) -> Any:
    """What a cell stands for; None if it cannot be read so."""
    if type == "boolean":
        return next((word == yes for no, yes in BOOLEAN_WORDS for word in (no, yes) if word == text.lower()), None)
    if type != "number":
        return text
    plain = text.replace(reading.thousands, "") if reading.thousands else text
    return _number(plain.replace(reading.decimal, "."))


def sort_labels(labels: Any) -> list[str]:
    """As numbers if all are, else as text."""
    numbers = {label: _number(label) for label in labels}
    if all(number is not None for number in numbers.values()):
        return sorted(labels, key=lambda label: (numbers[label], label))
    return sorted(labels)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number - number == 0 else None
