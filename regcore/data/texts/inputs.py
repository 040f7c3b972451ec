"""A column of text as the input of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from regcore.data.features import TextFeatures
from regcore.data.media_facts import TextFacts
from regcore.data.tables.facts import ColumnFacts, TableFacts
from regcore.data.tables.features import check_known
from regcore.data.tables.findings import about_classes, names_of
from regcore.data.texts.modality import tells_nothing
from regcore.doubts import Doubt
from regcore.errors import FieldError, json_pointer
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from regcore.data.encoded import Columns
    from regcore.data.texts.encode import TextPreprocessing

NUM_SPECIALS: Final = 2
"""Tokens that are no words: for padding, and for what is unknown."""
_FEWEST_TOKENS: Final = 2_048
_FEWEST_STEPS: Final = 32


@dataclass(frozen=True)
class TextInputs:
    """One column of text.

    Attributes:
        facts: Of the whole column.
        features: How it becomes tokens; its `column` is set.
    """

    facts: TextFacts
    features: TextFeatures

    @property
    def modality(self) -> Literal["text"]:
        """Rows of tokens."""
        return "text"

    @property
    def names(self) -> tuple[str, ...]:
        """The column."""
        assert self.features.column is not None, "choose_texts settles it"
        return (self.features.column,)

    @property
    def row(self) -> RowInfo:
        """(steps,) of tokens.

        Both sizes are powers of two, and not small, unless the spec's own are reached: so that a few rows more or less,
        of any split, do not change the network.
        """
        facts, features = self.facts, self.features
        if features.tokenizer == "words":
            num_words = facts.num_lowercase_words if features.lowercase else facts.num_words
            steps, fewest_steps = facts.max_words, _FEWEST_STEPS
        else:  # each of at most as many pieces as characters; each piece has come from joining two inside a word
            num_words, steps, fewest_steps = 2 * facts.num_characters, facts.max_bytes, 4 * _FEWEST_STEPS
        tokens = min(features.vocabulary_size, max(_FEWEST_TOKENS, _power_of_two(num_words + NUM_SPECIALS)))
        return RowInfo((min(features.max_tokens, max(fewest_steps, _power_of_two(steps))),), tokens, varies=True)

    def doubts(
        self, table: TableFacts, spec: Any, *, target: str | None, class_counts: Mapping[str, int] | None
    ) -> Sequence[Doubt]:
        """Classes of unlike sizes, and columns that the network does not get."""
        taken = {*self.names, target, spec.data.split_column, spec.data.group_column, *spec.data.exclude}
        others = [column for column in table.columns if column.name not in taken]
        left_out = [column.name for column in others if not tells_nothing(column, table.num_rows)]
        doubts = list(about_classes(target, class_counts, spec))
        if left_out:
            doubts.append(
                Doubt(
                    "/data/features",
                    "columns_left_out",
                    f"The network reads the text of {self.names[0]!r} alone; {names_of(left_out)} "
                    f"{'is' if len(left_out) == 1 else 'are'} left out.",
                    'Say features: {"kind": "table"} to learn from the columns without the text.',
                )
            )
        return doubts

    def read(self, columns: Any) -> Columns:
        """The cells as text, "" for a gap."""
        import pyarrow.compute as pc

        from regcore.data.tables.read_column import spelled

        return {name: pc.fill_null(spelled(columns[name]), "") for name in self.names}

    def fit(self, train: Columns, *, standardize: bool, given: Sequence[str], target: str | None) -> TextPreprocessing:
        """The vocabulary."""
        from regcore.data.texts.fit import fit_texts

        (name,) = self.names
        return fit_texts(train[name], self.features, self.row, given=given, target=target)


def choose_texts(table: TableFacts, data: Any, target: str | None, errors: list[FieldError]) -> TextInputs | None:
    """The column of text that a spec takes; None if none can be told, and `errors` says why."""
    features = data.features or TextFeatures()
    names = [column.name for column in table.columns]
    known = len(errors)
    for position, name in enumerate(data.exclude):
        check_known(name, names, json_pointer(["data", "exclude", position]), errors)
    for name in data.types:
        check_known(name, names, json_pointer(["data", "types", name]), errors)
    if len(errors) > known:
        return None
    taken = {*data.exclude, target, data.split_column, data.group_column}
    column = _asked_for(table, features.column, taken, errors) if features.column else _only(table, data, taken, errors)
    if column is None or column.text is None:
        return None
    return TextInputs(column.text, features.model_copy(update={"column": column.name}))


def _asked_for(table: TableFacts, name: str, taken: set[str | None], errors: list[FieldError]) -> ColumnFacts | None:
    pointer = "/data/features/column"
    if not check_known(name, [column.name for column in table.columns], pointer, errors):
        return None
    if name in taken:
        message = f"{name!r} is excluded, or has another use: it is the target, or says the split or the group."
        errors.append(FieldError(pointer, "column_twice", f"{message} Name another column."))
        return None
    column = table.column(name)
    if column is None or column.text is None:
        kind = "no text" if column is None else f"cells of type {column.type} and no text"
        errors.append(FieldError(pointer, "no_text", f"{name!r} holds {kind}. Name a column of text."))
        return None
    return column


def _only(table: TableFacts, data: Any, taken: set[str | None], errors: list[FieldError]) -> ColumnFacts | None:
    """The only column of text: one that is said to be, else one of sentences, else any."""
    free = [
        column
        for column in table.columns
        if column.name not in taken
        and column.text is not None
        and data.types.get(column.name, "text" if column.type != "ignore" else None) == "text"
    ]
    for chosen in (
        [column for column in free if column.name in data.types],
        [column for column in free if column.text and column.text.is_running and column.type == "text"],
        [column for column in free if column.text and column.text.is_running],
        free,
    ):
        if len(chosen) == 1:
            return chosen[0]
        if chosen:
            named = names_of(column.name for column in chosen)
            message = f"the set has several columns of text: {named}. Name the one to learn from."
            errors.append(FieldError("/data/features/column", "several_texts", message))
            return None
    message = "no column of text is left to learn from. Exclude fewer, or name another target."
    errors.append(FieldError("/data/features", "no_text", message))
    return None


def _power_of_two(number: int) -> int:
    """The smallest that is not below a number."""
    return int(1 << max(0, number - 1).bit_length())
