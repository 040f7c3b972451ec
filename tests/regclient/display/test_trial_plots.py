from pathlib import Path

from regclient.display.trial_plots import draw_trial
from regclient.display.variant_verdicts import Trial


def test_the_picture_has_each_variant_with_its_setting_and_verdict(trial: Trial, tmp_path: Path) -> None:
    picture = tmp_path / "try.svg"

    draw_trial(trial, picture, task="classification", title="Which regularizer helps on $rows?")

    assert picture.read_text().count("<path") > 10
    draw_trial(trial, tmp_path / "try.png", task="classification", title="t")
    assert (tmp_path / "try.png").read_bytes().startswith(b"\x89PNG")
