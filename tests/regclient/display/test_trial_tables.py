import io
from typing import Any

import pytest
from rich.live import Live

from regclient.display.terminal import Console
from regclient.display.trial_tables import TrialBars, contrasts_in_percent, outcomes_table, trial_show
from regclient.display.variant_outcomes import Trial

SWEEP: dict[str, Any] = {
    "id": "swp_" + "0" * 26,
    "state": "running",
    "num_members": 4,
    "counts": {"succeeded": 2, "running": 1, "queued": 1},
    "spec": {"variants": [{"name": "nothing"}, {"name": "l2"}], "objective": {"metric": "validation/loss"}},
    "leaderboard": [
        {
            "variant": "l2",
            "values": {"/regularizers/0/strength": 0.01},
            "objective": {"mean": 0.25},
            "states": {"succeeded": 2},
        },
        {"variant": "nothing", "values": {}, "objective": {"mean": None}, "states": {"running": 1, "queued": 1}},
    ],
}


def console(width: int = 150) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)


def printed(on: Console) -> str:
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


def test_each_variant_has_its_figures_and_its_verdict(trial: Trial) -> None:
    on = console()

    on.print(outcomes_table(trial, "classification"))

    lines = {line.split("  ")[0].strip(): line for line in printed(on).splitlines()}
    assert "-20.0 [-30.0, -10.0]" in lines["dropout"]
    assert lines["dropout"].rstrip().endswith("helps")
    assert "not measurable" in lines["L1"]
    assert lines["the network alone"].rstrip().endswith("the reference")
    assert lines["the largest class"].rstrip().endswith("worse")
    assert "p 0.35" in lines["dropout"]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_the_verdict_stays_in_a_narrow_window(trial: Trial, width: int) -> None:
    on = console(width)

    on.print(outcomes_table(trial, "classification"))

    assert "helps" in printed(on)
    assert max(map(len, printed(on).splitlines())) <= width


def test_differences_are_in_percent_of_the_loss_of_the_network_alone(trial: Trial) -> None:
    changes = {one.label: one.value for one in contrasts_in_percent(trial)}

    assert changes == {"dropout": -20.0, "linear": 4.0, "l1": 2.0, "l2": 40.0, "constant": 100.0}


def test_while_it_trains_each_variant_has_a_line() -> None:
    on = console()

    with Live(console=on, auto_refresh=False) as live:
        TrialBars(live, on, "classification").show(SWEEP)

    shown = printed(on)
    assert "0.25  strength 0.01" in shown
    assert "2 of 2" in shown
    assert "0 of 2" in shown
    assert "the network alone" in shown


def test_without_a_terminal_there_are_lines() -> None:
    on = console()

    trial_show(None, on, "classification")(SWEEP)

    assert "2 of 4 ended" in printed(on)
