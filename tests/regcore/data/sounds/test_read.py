import numpy as np
import pytest
from sound_files import sound_file, tone

from regcore.data.files.entry import Entry
from regcore.data.media_facts import AudioFacts
from regcore.data.sounds import read
from regcore.data.sounds.read import read_sounds
from regcore.data.sounds.stored import samples_of
from regcore.errors import InvalidDataError


def entries_of(*contents: bytes) -> list[Entry]:
    return [Entry(f"a/{k}.wav", len(content), lambda own=content: own) for k, content in enumerate(contents)]


def test_each_file_is_a_cell_and_all_of_them_give_the_facts():
    shares = []

    column = read_sounds(entries_of(sound_file(tone(440, 0.5)), sound_file(tone(500, 1.2))), shares.append)

    assert [len(samples_of(cell.as_py())[0]) for cell in column.cells] == [4_000, 9_600]
    assert column.facts == AudioFacts(
        max_duration_s=1.2, total_duration_s=1.7, sample_rates={8_000: 2}, durations_s={1: 1, 2: 1}
    )
    assert (column.warnings, shares) == ([], [0.5, 1.0])


def test_what_was_brought_to_one_is_told():
    stereo = sound_file(np.stack([tone(440), tone(880)], axis=1), rate=16_000)

    column = read_sounds(entries_of(sound_file(tone(440)), stereo, sound_file(np.zeros(800))), lambda share: None)

    told = {warning.code: warning.message for warning in column.warnings}
    assert told == {
        "mixed_sample_rates": "Sounds have 2 sample rates: 8,000 Hz (2), 16,000 Hz (1).",
        "channels_mixed": "1 sounds (a/1.wav) have several channels, which are mixed to their mean.",
        "silent_sounds": "1 sounds (a/2.wav) are silent: every sample is 0.",
    }


def test_cells_lie_in_several_chunks_in_the_files_order(monkeypatch):
    monkeypatch.setattr(read, "_CHUNK_BYTES", 1)

    cells = read_sounds(entries_of(*(sound_file(tone(440)[: 10 * k]) for k in (3, 1, 2))), lambda share: None).cells

    assert cells.num_chunks == 3
    assert [len(samples_of(cell.as_py())[0]) for cell in cells] == [30, 10, 20]


def test_more_than_memory_may_hold_is_refused(monkeypatch):
    monkeypatch.setattr(read, "MAX_STORED_BYTES", 25_000)
    noise = np.random.default_rng(0).uniform(-1, 1, 5_000)

    with pytest.raises(InvalidDataError, match=r"The sounds up to a/2\.wav take .* and may take 25,000"):
        read_sounds(entries_of(*[sound_file(noise)] * 4), lambda share: None)


def test_a_damaged_file_is_named():
    with pytest.raises(InvalidDataError, match=r"a/1\.wav is cut off"):
        read_sounds(entries_of(sound_file(tone(440)), sound_file(tone(440))[:-5]), lambda share: None)
