import zipfile

import numpy as np
import pytest
from sound_files import sound_file, tones

from regcore.data.features import AudioFeatures
from regcore.data.sounds.apply import apply_to_sounds
from regcore.data.sounds.encode import fit_sounds
from regcore.data.sounds.handed import table_of_sounds
from regcore.data.tables.read.arrays import table_of
from regcore.errors import InvalidDataError

SOUNDS, _ = tones(4)
TABLE = table_of_sounds(SOUNDS, None, 8_000)
FILES = {f"{k}.wav": sound_file(sound, subtype="FLOAT") for k, sound in enumerate(SOUNDS)}


@pytest.fixture(scope="module")
def fitted():
    return fit_sounds(AudioFeatures(sample_rate=8_000, num_mels=8), 13, "audio", TABLE.columns, standardize=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("sounds")
    for name, content in FILES.items():
        (where / name).write_bytes(content)
    with zipfile.ZipFile(where / "all.archive", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    (where / "all.archive").rename(where.with_suffix(".zip"))
    return where


def test_arrays_paths_folders_archives_and_tables_give_the_same_rows(fitted, folder):
    paths = [folder / name for name in FILES]
    given = [SOUNDS, paths, [*map(str, paths)], folder, str(folder), folder.with_suffix(".zip"), TABLE]

    found = [apply_to_sounds(fitted, rows, np.float32) for rows in given]

    expected = fitted.encode(TABLE.columns, np.float32)
    for encoded in found:
        assert np.array_equal(encoded.x, expected.x)
        assert np.array_equal(encoded.lengths, expected.lengths)
        assert encoded.notes == []


def test_one_path_is_one_row(fitted, folder):
    encoded = apply_to_sounds(fitted, folder / "2.wav", np.float32)

    assert np.array_equal(encoded.x, fitted.encode({"audio": TABLE.columns["audio"].slice(2, 1)}, np.float32).x)


def test_what_is_unusual_is_told(fitted, tmp_path):
    (tmp_path / "a.wav").write_bytes(sound_file(np.zeros((300, 2))))

    notes = apply_to_sounds(fitted, tmp_path / "a.wav", np.float32).notes

    assert len(notes) == 2
    assert "several channels" in notes[0]
    assert "silent" in notes[1]


def test_rows_of_a_table_are_no_sounds(fitted):
    with pytest.raises(InvalidDataError, match="takes sounds, and these rows are of modality table"):
        apply_to_sounds(fitted, table_of({"a": [1.0]}), np.float32)
