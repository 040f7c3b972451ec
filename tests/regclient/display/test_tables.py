import io

import pytest
from rich.console import Console

from regclient.display.tables import Column, FittedTable

IDS = Column("id", ["job_" + "0" * 26])
NAMES = Column("name", ["a name that is as long as names are"], need=1, folds=True)
LOSSES = Column("[bold]loss[/]", ["0.1235"], need=2, is_number=True)


@pytest.mark.parametrize(
    ("width", "headers", "left_out"),
    [
        (100, ["id", "name", "loss"], None),
        (58, ["id", "name", "loss"], None),
        (57, ["id", "name"], "No room here for: loss."),
        (40, ["id"], "No room here for: name, loss."),
        (31, ["id"], "No room here for: name, loss."),
    ],
)
def test_columns_go_by_need_and_are_named_below(width: int, headers: list[str], left_out: str | None) -> None:
    console = Console(file=io.StringIO(), width=width)

    console.print(FittedTable([IDS, NAMES, LOSSES]))

    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]  # the StringIO above
    assert lines[0].split() == headers
    assert "job_" + "0" * 26 in lines[1] or width < 32
    assert (left_out or "0.1235") in " ".join(" ".join(lines).split())
    assert "…" not in "".join(lines)
