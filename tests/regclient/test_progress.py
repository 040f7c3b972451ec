import io

from rich.console import Console

from regclient.progress import job_progress, sweep_progress


def test_a_bar_shows_name_state_and_epoch_without_reading_markup_from_the_name() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    job = {"id": "job_1", "name": "[red]x", "state": "running"}

    with job_progress(console=console) as bars:
        bars.show({**job, "progress": {"epoch": 3, "num_epochs": 10, "fraction": 0.3}})

    text = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO above
    assert "[red]x" in text
    assert "epoch 3/10" in text


def test_nothing_is_drawn_without_a_terminal() -> None:
    console = Console(file=io.StringIO(), width=120)

    with job_progress(console=console) as bars:
        bars.show({"id": "job_1", "name": None, "state": "queued", "progress": {}})

    assert console.file.getvalue().strip() == ""  # type: ignore[attr-defined]  # the StringIO above


def test_a_sweeps_bar_is_over_its_members() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    counts = {"succeeded": 3, "failed": 1, "running": 2, "queued": 2}

    with sweep_progress(console=console) as bars:
        bars.show({"id": "swp_1", "name": None, "state": "running", "counts": counts, "num_members": 8})

    text = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO above
    assert "50 %" in text
    assert "4 of 8 ended, 2 running" in text
