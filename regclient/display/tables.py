"""Tables that keep ids and numbers whole in a narrow window: they omit columns, or put a value below its title."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

NARROWEST_FOLD = 16
_PADDING = 2


@dataclass
class Column:
    """One column of a table.

    Attributes:
        header: The heading, in rich's markup.
        cells: The cells from the top, in rich's markup.
        need: 0 is always shown; of the others, those with the largest number are omitted first.
        is_number: Whether its cells are aligned to the right.
        folds: Whether long cells may continue on the next line.
        narrowest_fold: The least width of a column that folds, if its cells are longer.
    """

    header: str
    cells: list[str] = field(default_factory=list)
    need: int = 0
    is_number: bool = False
    folds: bool = False
    narrowest_fold: int = NARROWEST_FOLD

    @property
    def min_width(self) -> int:
        """The least width, in characters of the terminal."""
        widest = max((_width(text) for text in (self.header, *self.cells)), default=0)
        return _PADDING + (min(widest, self.narrowest_fold) if self.folds else widest)


def fitted(columns: Sequence[Column], width: int) -> list[Column]:
    """Return the columns that fit side by side, in their order."""
    kept = list(columns)
    while sum(column.min_width for column in kept) > width and any(column.need for column in kept):
        kept.remove(max(kept, key=lambda column: column.need))
    return kept


@dataclass
class FittedTable:
    """A table of the columns that fit into the window; those that were omitted are named below it.

    Attributes:
        columns: The columns from the left, all with the same number of cells.
        title: The line above it, in rich's markup.
        caption: The lines below it, in rich's markup.
    """

    columns: Sequence[Column]
    title: str | None = None
    caption: str | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        kept = fitted(self.columns, options.max_width)
        left_out = [" ".join(_plain(column.header).split()) for column in self.columns if column not in kept]
        below = [self.caption] if self.caption else []
        if left_out:
            below.append(escape(f"No room here for: {', '.join(left_out)}."))
        caption = "\n".join(below) or None
        table = Table(box=None, header_style="bold", title=self.title, caption=caption, caption_justify="left")
        for column in kept:
            table.add_column(
                column.header,
                justify="right" if column.is_number else "left",
                no_wrap=not column.folds,
                overflow="fold",
                min_width=None if column.folds else column.min_width - _PADDING,
            )
        for row in zip(*(column.cells for column in kept), strict=True):
            table.add_row(*row)
        yield table


@dataclass
class Details:
    """Titles, and beside each its value; below it, where that keeps an id or a hash whole.

    Attributes:
        rows: Titles and values, in rich's markup.
    """

    rows: Sequence[tuple[str, str]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        title_width = max((_width(title) for title, _ in self.rows), default=0)
        room = options.max_width - title_width - 2 * _PADDING
        for title, value in self.rows:
            longest = max((_width(word) for word in value.split()), default=0)
            grid = Table(box=None, show_header=False)
            grid.add_column(style="bold", no_wrap=True, min_width=title_width)
            if longest <= room or longest > options.max_width - _PADDING:
                grid.add_column(overflow="fold")
                grid.add_row(title, value)
                yield grid
            else:
                grid.add_row(title)
                yield grid
                yield Padding(value, (0, 1))


def _width(text: str) -> int:
    return max((Text(line).cell_len for line in _plain(text).split("\n")), default=0)


def _plain(text: str) -> str:
    return Text.from_markup(text).plain
