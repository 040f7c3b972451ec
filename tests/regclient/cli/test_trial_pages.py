from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from regclient.cli.trial_pages import (
    Left,
    Subject,
    as_json_object,
    best_spec,
    print_next_steps,
    print_seen,
    print_trial,
    summary,
)
from regclient.cli.trial_run import Combination, Round
from regclient.display.variant_outcomes import Score, Trial, VariantOutcome
from regclient.errors import WaitTimeoutError

PLAN = {
    "task": "classification",
    "classes": ["no", "yes"],
    "num_rows": {"train": 1_200, "validation": 20, "test": 30},
    "input_shape": [7],
}
WARNINGS = [
    {"code": "identifier", "message": "id is a row number.", "remedy": "Exclude it."},
    {"code": "rate_too_small", "message": "of the probe", "remedy": "none"},
]
SUBJECT = Subject(
    "rows.csv",
    "yes",
    "rows",
    {"kind": "dataset", "id": "ds_0", "target": "churn"},
    {"plan": PLAN, "warnings": WARNINGS, "resolved_spec": {}},
)
LEFT = Left("job_0", Path("rows-best.json"), Path("rows-try.png"))
TOGETHER = Combination("l1 + weight_decay", "l1", "helps", {"value": -0.1, "low": -0.2, "high": -0.05}, "job_1")
L1 = VariantOutcome("l1", "helps", Score(-0.1), 0.01, Score(0.4), {"accuracy": Score(0.9)}, {"/x": 1.0}, 5, True)
TRIAL = Trial("test/loss", [L1])


def test_what_was_seen_is_said_with_findings_but_not_of_the_probe(capfd: pytest.CaptureFixture[str]) -> None:
    print_seen(SUBJECT)

    said = " ".join(capfd.readouterr().err.split())
    assert "rows: 1,250 rows (1,200 train, 20 validation, 30 test), 7 inputs, 2 classes: no, yes" in said
    assert "id is a row number. Exclude it." in said
    assert "of the probe" not in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"input_shape": [1, 8, 8]}, "grey images of 8×8, 2 classes: no, yes"),
        ({"input_shape": [4, 8, 8]}, "inputs of 4×8×8, 2 classes: no, yes"),
        ({"classes": None, "task": "regression"}, "7 inputs, a regression"),
        ({"classes": None, "task": "reconstruction"}, "7 inputs, a reconstruction"),
    ],
)
def test_what_is_to_be_learned_is_said_of_every_kind_of_row_and_task(
    changes: dict[str, Any], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    print_seen(replace(SUBJECT, checked={"plan": PLAN | changes, "warnings": []}))

    assert said in " ".join(capfd.readouterr().err.split())


def test_a_stem_in_another_folder_is_shown_without_it(capfd: pytest.CaptureFixture[str]) -> None:
    subject = replace(SUBJECT, stem="out/of/the/way/rows")

    print_seen(subject)

    assert capfd.readouterr().err.startswith("rows: 1,250 rows")
    assert best_spec({"data": {"kind": "builtin", "name": "wine"}}, subject)["name"] == "best on rows"


def test_the_best_spec_names_the_file_in_place_of_the_upload() -> None:
    data = {"kind": "dataset", "id": "ds_0", "target": "churn", "split_seed": 3}

    spec = best_spec({"data": data, "model": {"kind": "linear"}, "name": None}, SUBJECT)

    assert spec["data"] == {"kind": "file", "path": "rows.csv", "header": "yes", "target": "churn", "split_seed": 3}
    assert spec["name"] == "best on rows"


def test_builtin_data_stay_as_they_are() -> None:
    data = {"kind": "builtin", "name": "wine"}

    assert best_spec({"data": data}, SUBJECT)["data"] == data


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ("helps", "Together, L1 and weight decay are measurably better than L1 alone."),
        ("hurts", "Together, L1 and weight decay are measurably worse than L1 alone."),
        ("no_measurable_effect", "Together, L1 and weight decay are not measurably better or worse than L1 alone."),
    ],
)
def test_the_two_together_have_a_sentence(verdict: str, expected: str) -> None:
    both = Combination(TOGETHER.name, TOGETHER.alone, verdict, {}, "job_1")

    assert summary(TRIAL, both, SUBJECT)[-1] == expected


@pytest.mark.parametrize("is_own", [True, False])
def test_the_next_steps_begin_with_a_server_if_ours_has_stopped(
    capfd: pytest.CaptureFixture[str], is_own: bool
) -> None:
    print_next_steps(LEFT, replace(SUBJECT, file="my rows.csv"), is_own=is_own)

    said = capfd.readouterr().out
    assert "regcore predict job_0 'my rows.csv'" in said
    assert "regcore submit rows-best.json --follow" in said
    assert ("regcore up" in said) is is_own


def test_for_images_no_file_to_predict_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    images = {"plan": PLAN | {"input_shape": [1, 8, 8]}, "warnings": []}

    print_next_steps(LEFT, replace(SUBJECT, file="builtin:digits", checked=images), is_own=False)

    said = capfd.readouterr().out
    assert "regcore predict" not in said
    assert "regcore submit rows-best.json --follow" in said


def test_programs_get_all_of_it() -> None:
    sweep: Any = SimpleNamespace(id="swp_0")

    said = as_json_object([Round(sweep, TRIAL, None, "job_0")], TOGETHER, SUBJECT, LEFT)

    assert (said["winner"], said["beats_baseline"], said["complete"], said["sweep_ids"]) == (
        "l1",
        True,
        True,
        ["swp_0"],
    )
    assert said["verdicts"][0]["scores"] == {"accuracy": {"mean": 0.9, "low": None, "high": None}}
    assert said["combination"]["baseline"] == "l1"
    assert (said["spec_file"], said["picture"], said["job_id"]) == ("rows-best.json", "rows-try.png", "job_0")


def test_programs_are_told_that_nothing_ended() -> None:
    cut: Any = KeyboardInterrupt()
    sweep: Any = SimpleNamespace(id="swp_0")

    said = as_json_object([Round(sweep, None, cut, "")], None, SUBJECT, None)

    assert (said["winner"], said["verdicts"], said["summary"], said["complete"]) == (None, [], [], False)


def test_people_are_told_how_much_ended_and_what_to_do(capfd: pytest.CaptureFixture[str]) -> None:
    sweep: Any = SimpleNamespace(counts={"succeeded": 1, "cancelled": 10}, num_members=11)

    print_trial([Round(sweep, None, WaitTimeoutError("late", "running", 60), "")], None, SUBJECT)

    said = " ".join(capfd.readouterr().out.split())
    assert said.startswith("The budget is used up: 1 of 11 trainings had ended")
    assert "a larger --budget" in said
