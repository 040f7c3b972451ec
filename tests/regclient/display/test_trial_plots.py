from pathlib import Path

from regclient.display.trial_plots import draw_trial
from regclient.display.variant_outcomes import Trial


def test_the_picture_has_each_variant_with_its_setting_and_verdict(trial: Trial, tmp_path: Path) -> None:
    picture = tmp_path / "try.svg"

    draw_trial(trial, picture, task="classification", title="Which regularizer helps on $rows?")

    drawn = picture.read_text()
    assert drawn.count("<path") > 10
    # Text is drawn as curves, and stands beside them as a comment.
    assert "<!-- dropout (p 0.35) -->" in drawn
    assert "<!-- helps  (p = 0.02) -->" in drawn
    assert "far off:" in drawn  # told in words: it would flatten all others
    assert "<!-- the largest class -->" not in drawn
    draw_trial(trial, tmp_path / "try.png", task="classification", title="t")
    assert (tmp_path / "try.png").read_bytes().startswith(b"\x89PNG")
