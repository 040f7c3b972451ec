import io
from typing import Any

import pytest

from regclient.display.progress import JobLines, LatestValues, SweepLines, job_progress, sweep_progress
from regclient.display.terminal import Console
from regclient.errors import ServerUnreachableError

JOB_ID = "job_" + "0" * 26
VALUES = {"train/loss": 0.25, "train/accuracy": 0.9, "validation/loss": 0.5, "validation/accuracy": 0.8}
RUNNING: dict[str, Any] = {
    "id": JOB_ID,
    "name": "[red]x",
    "state": "running",
    "progress": {"epoch": 3, "num_epochs": 10, "fraction": 0.3, "eta_s": 83.2},
}
SWEEP: dict[str, Any] = {
    "id": "swp_1",
    "name": None,
    "state": "running",
    "counts": {"succeeded": 3, "failed": 1, "running": 2, "queued": 2},
    "num_members": 8,
    "spec": {"objective": {"metric": "validation/loss"}},
    "leaderboard": [{"objective": {"mean": 0.12345}}],
}


class Screen(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def console_of(file: io.StringIO, width: int = 120, **env: str) -> Console:
    return Console(file=file, width=width, color_system=None, _environ={"TERM": "xterm", **env})


def row_of(values: dict[str, float], seq: int = 1) -> dict[str, Any]:
    return {"seq": seq, "values": values}


def drawn(values: dict[str, float], width: int = 120) -> str:
    """What the bar of a running job looks like."""
    screen = Screen()
    with job_progress(console=console_of(screen, width), fetch=lambda *_: row_of(values)) as show:
        show(RUNNING)
    return screen.getvalue()


def test_a_bar_shows_id_name_and_state_and_train_against_validation() -> None:
    text = drawn(VALUES)

    for expected in (JOB_ID, "[red]x", "30 %", "running", "epoch 3/10", "1 min 23 s left"):
        assert expected in text
    assert "train: loss 0.25, accuracy 0.9  validation: loss 0.5, accuracy 0.8" in text


def test_where_nothing_validates_the_test_rows_stand_beside_train() -> None:
    assert "train: loss 1  test: loss 2" in drawn({"train/loss": 1.0, "test/loss": 2.0})


@pytest.mark.parametrize("width", [80, 40])
def test_a_narrow_window_keeps_the_whole_id_and_every_number(width: int) -> None:
    lines = [line.rstrip() for line in drawn(VALUES, width).replace("\r", "\n").splitlines()]

    assert max(len(line) for line in lines if "\x1b" not in line) <= width
    for expected in (JOB_ID, "30 %", "running", "loss 0.25, accuracy 0.9", "loss 0.5, accuracy 0.8", "epoch 3/10"):
        assert any(expected in line for line in lines), expected


@pytest.mark.parametrize("env", [{"FORCE_COLOR": "1"}, {}])
def test_nothing_is_drawn_without_a_terminal(env: dict[str, str]) -> None:
    file = io.StringIO()

    with job_progress(console=console_of(file, **env)) as show:
        show(RUNNING)

    assert file.getvalue() == ""


def test_a_function_is_called_instead_of_drawing() -> None:
    seen: list[dict[str, Any]] = []
    screen = Screen()

    with job_progress(seen.append, console=console_of(screen)) as show:
        show(RUNNING)

    assert (seen, screen.getvalue()) == ([RUNNING], "")


def test_a_sweeps_bar_is_over_its_members_and_shows_the_best_so_far() -> None:
    screen = Screen()

    with sweep_progress(console=console_of(screen)) as show:
        show(SWEEP)

    assert "50 %" in screen.getvalue()
    assert "4 of 8 ended  2 running  best so far: validation/loss 0.1235" in screen.getvalue()


def test_metrics_are_asked_for_only_after_another_epoch_and_behind_the_last_row() -> None:
    asked: list[int] = []

    def fetch(job_id: str, after: int) -> dict[str, Any]:
        asked.append(after)
        return row_of(VALUES, seq=len(asked) * 10)

    latest = LatestValues(fetch)
    for epoch in (0, 1, 1, 2, 2):
        latest.of({"id": JOB_ID, "progress": {"epoch": epoch}})

    assert asked == [0, 10]


def test_metrics_that_cannot_be_had_leave_the_last_ones() -> None:
    answers: list[Any] = [row_of(VALUES), ServerUnreachableError("http://x", OSError()), None]

    def fetch(job_id: str, after: int) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    latest = LatestValues(fetch)

    assert [latest.of({"id": JOB_ID, "progress": {"epoch": epoch}}) for epoch in (1, 2, 3)] == [VALUES] * 3


def lines_of(lines: JobLines | SweepLines, seen: list[dict[str, Any]], file: io.StringIO) -> list[str]:
    """The lines without their times."""
    for one in seen:
        lines.show(one)
    return [line.partition("Z  ")[2] for line in file.getvalue().splitlines()]


def test_without_a_terminal_each_state_is_a_line_and_epochs_are_one_now_and_then() -> None:
    file = io.StringIO()
    epochs = [{"epoch": epoch, "num_epochs": 9, "fraction": epoch / 9} for epoch in range(9)]
    states = [{**RUNNING, "progress": {}, "state": state} for state in ("queued", "succeeded")]
    seen = [states[0], *({**RUNNING, "progress": progress} for progress in epochs), states[1]]

    lines = lines_of(JobLines(console_of(file), None, every_s=3600), seen, file)

    assert lines == [f"{JOB_ID}  queued  0 %", f"{JOB_ID}  running  0 %", f"{JOB_ID}  succeeded  100 %"]


def test_a_line_of_an_epoch_says_how_far_and_how_well_and_is_not_said_twice() -> None:
    file = io.StringIO()
    lines = JobLines(console_of(file), lambda *_: row_of({"train/loss": 1.0}), every_s=0)

    assert lines_of(lines, [RUNNING] * 2, file) == [
        f"{JOB_ID}  running  30 %  train: loss 1  epoch 3/10  1 min 23 s left"
    ]


def test_a_line_of_a_sweep_says_how_many_have_ended() -> None:
    file = io.StringIO()

    lines = lines_of(SweepLines(console_of(file)), [SWEEP], file)

    assert lines == ["swp_1  running  50 %  4 of 8 ended  2 running  best so far: validation/loss 0.1235"]
