from pathlib import Path

import numpy as np
import pytest
import torch
from sound_files import sound_file, tone

from regcore.data.sounds.handed import are_paths_of_sounds, is_path_of_a_sound, sounds_of, table_of_sounds
from regcore.data.sounds.stored import samples_of
from regcore.data.tables.handed import handed_rows
from regcore.errors import InvalidDataError

SHORT, LONG = tone(440).astype(np.float32), tone(880, 0.3).astype(np.float32)


@pytest.fixture
def path(tmp_path) -> Path:
    where = tmp_path / "a.WAV"
    where.write_bytes(sound_file(SHORT, 22_050, "FLOAT"))
    return where


def test_arrays_tensors_lists_and_paths_are_sounds(path):
    table = table_of_sounds([SHORT, torch.from_numpy(LONG), LONG.tolist(), str(path), path], [0, 1, 1, 0, 0], 16_000)

    assert table.facts.modality == "audio"
    assert table.facts.default_target == "y"
    assert [column.type for column in table.facts.columns] == ["ignore", "number", "audio"]
    assert table.facts.column("audio").audio.sample_rates == {16_000: 3, 22_050: 2}
    held = [samples_of(cell.as_py())[0] for cell in table.columns["audio"]]
    assert [np.array_equal(a, b) for a, b in zip(held, [SHORT, LONG, LONG, SHORT, SHORT], strict=True)] == [True] * 5


def test_an_array_of_two_dimensions_holds_a_sound_in_each_row():
    column = sounds_of(np.stack([SHORT, -SHORT]), 8_000)

    assert np.array_equal(samples_of(column.cells[1].as_py())[0], -SHORT)


def test_an_array_of_one_dimension_holds_paths_or_the_bytes_of_files(path):
    column = sounds_of(np.array([path, path.read_bytes()], object), 8_000)

    assert column.facts.sample_rates == {22_050: 2}
    assert sounds_of(np.array([str(path)]), 8_000).cells[0] == column.cells[0]


def test_paths_of_sounds_are_told_by_their_endings(path, tmp_path):
    assert are_paths_of_sounds([path, "b.flac"])
    assert not are_paths_of_sounds(["a.wav", "b.txt"])
    assert not are_paths_of_sounds([])
    assert not are_paths_of_sounds(np.zeros((2, 2)))
    (tmp_path / "folder.wav").mkdir()
    assert not is_path_of_a_sound(tmp_path / "folder.wav")


@pytest.mark.parametrize(
    ("x", "said"),
    [
        ([], "there are no sounds"),
        (SHORT, r"an array \(sounds, samples\); received ndarray of shape \(800,\)"),
        ([(SHORT, 16_000)], "sound 1 cannot be read as samples"),
        ([SHORT, "nowhere.wav"], "nowhere.wav cannot be read: No such file"),
    ],
)
def test_what_is_no_list_of_sounds_is_refused(x, said):
    with pytest.raises(InvalidDataError, match=said):
        sounds_of(x, 8_000)


def test_validation_and_test_sounds_are_handed_in_apart(path):
    handed = handed_rows(
        [SHORT, SHORT],
        ["low", "high"],
        validation=([LONG], ["high"]),
        test=([str(path)], ["low"]),
        features={"kind": "audio", "sample_rate": 8_000},
    )

    facts = handed.table.facts.column("audio").audio
    assert handed.roles.tolist() == ["drawn", "drawn", "validation", "test"]
    assert handed.numbers.tolist() == [0, 1, 0, 0]
    assert (facts.max_duration_s, facts.sample_rates) == (0.3, {8_000: 3, 22_050: 1})
    assert facts.durations_s == {1: 4}
    assert handed.table.columns["y"].to_pylist() == ["low", "high", "high", "low"]


def test_paths_alone_are_taken_for_sounds(path):
    assert handed_rows([str(path)] * 2, [0, 1]).table.facts.modality == "audio"
