import subprocess

import numpy as np
from sound_files import sound_file, tone

from regcore.data.sounds import make_tiny_speech


def test_a_word_is_cut_out_of_its_silence_scaled_and_rounded(monkeypatch):
    silence = np.zeros(2_205)
    said = sound_file(np.r_[silence, tone(440, 0.3, 22_050, 0.2), silence], 22_050)
    asked = []

    def run(command, **how):
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, said)

    monkeypatch.setattr(subprocess, "run", run)

    samples = make_tiny_speech.spoken("seven", "en-us", "f2", 150, 40)

    assert asked == [["espeak-ng", "-v", "en-us+f2", "-s", "150", "-p", "40", "--stdout", "seven"]]
    assert abs(len(samples) / 8_000 - (0.3 + 2 * 0.02)) < 0.005
    assert abs(np.abs(samples).max() / 2**15 - 0.7) < 0.001
    assert not (samples % 32).any()
