import hashlib
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from regcore.data.catalogue import BUILTIN
from regcore.data.files.archive import open_archive
from regcore.data.files.limits import FileLimits
from regcore.data.sounds.read import read_sounds
from regcore.data.sounds.stored import samples_of
from regcore.data.sounds.tiny_speech import ARCHIVE, TINY_SPEECH_INPUTS, read_tiny_speech

INFO = BUILTIN["tiny-speech"]


def test_the_archive_is_the_one_that_its_page_describes():
    page = Path(ARCHIVE.with_suffix(".md")).read_text("utf-8")

    assert re.search(r"SHA-256: `(\w+)`", page)[1] == hashlib.sha256(ARCHIVE.read_bytes()).hexdigest()
    assert ARCHIVE.stat().st_size < 1_500_000


def test_its_facts_are_those_of_its_files():
    with open_archive(ARCHIVE, FileLimits()) as entries:
        facts = read_sounds(entries[::20], lambda share: None).facts
        lengths = [len(samples_of(entry.read())[0]) for entry in entries]

    assert max(lengths) / 8_000 == TINY_SPEECH_INPUTS.facts.max_duration_s
    assert sum(lengths) / 8_000 == pytest.approx(TINY_SPEECH_INPUTS.facts.total_duration_s)
    assert facts.sample_rates == {8_000: 20}
    assert TINY_SPEECH_INPUTS.facts.sample_rates == {8_000: INFO.num_rows}
    assert TINY_SPEECH_INPUTS.row.shape == INFO.feature_shape
    assert TINY_SPEECH_INPUTS.row.varies == INFO.varies


def test_every_voice_says_every_digit_twice():
    files, digits, voices = read_tiny_speech()

    assert Counter(zip(voices, digits.tolist(), strict=True)) == {
        (voice, digit): 2 for voice in INFO.groups for digit in range(10)
    }
    assert len(set(files.tolist())) == INFO.num_rows
    assert np.array_equal(np.sort(digits), digits)
