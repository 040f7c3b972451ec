import json

import numpy as np
import pyarrow as pa
import pytest
from sound_files import sound_file, tone

from regcore.data.features import AudioFeatures
from regcore.data.sounds.encode import AudioPreprocessing, fit_sounds
from regcore.data.sounds.log_mel import LogMel
from regcore.shapes import RowInfo

FEATURES = AudioFeatures(sample_rate=8_000, num_mels=8)
FILES = [sound_file(tone(hertz, seconds)) for hertz, seconds in ((300, 0.1), (900, 0.05), (1_500, 0.2))]
COLUMNS = {"audio": pa.chunked_array([pa.array(FILES[:2], pa.binary()), pa.array(FILES[2:], pa.binary())])}
LOGS = [LogMel(FEATURES).of_stored(content) for content in FILES]
NUM_STEPS = max(map(len, LOGS))


@pytest.fixture(scope="module")
def fitted() -> AudioPreprocessing:
    return fit_sounds(FEATURES, NUM_STEPS, "audio", COLUMNS, standardize=True)


def test_each_band_is_scaled_over_the_steps_in_use(fitted):
    steps = np.concatenate(LOGS)

    assert np.allclose(fitted.mean, steps.mean(axis=0), rtol=1e-12)
    assert np.allclose(fitted.std, steps.std(axis=0), rtol=1e-12)


def test_rows_hold_their_steps_and_zeros_behind_them(fitted):
    encoded = fitted.encode(COLUMNS, np.float64)

    assert encoded.lengths.tolist() == [len(logs) for logs in LOGS]
    assert encoded.x.shape == (3, *fitted.row.shape)
    for row, logs in zip(encoded.x, LOGS, strict=True):
        assert np.array_equal(row[: len(logs)], (logs - fitted.mean) / fitted.std)
        assert not row[len(logs) :].any()
    assert fitted.row == RowInfo((NUM_STEPS, 8), varies=True)


def test_a_row_has_the_same_numbers_alone_and_in_float32_the_nearest(fitted):
    together = fitted.encode(COLUMNS, np.float64)

    alone = fitted.encode({"audio": COLUMNS["audio"].slice(2, 1)}, np.float32)

    assert np.array_equal(alone.x[0], together.x[2].astype(np.float32))


def test_without_scaling_logs_stay_as_they_are():
    plain = fit_sounds(FEATURES, NUM_STEPS, "audio", COLUMNS, standardize=False)

    assert np.array_equal(plain.encode(COLUMNS, np.float64).x[2], LOGS[2])
    assert not plain.is_fitted


def test_a_band_without_change_is_only_moved():
    silent = {"audio": pa.chunked_array([[sound_file(np.zeros(900))] * 2])}

    assert fit_sounds(FEATURES, 10, "audio", silent, standardize=True).std == (1.0,) * 8


def test_a_longer_sound_than_training_had_is_cut_and_told(fitted):
    longer = {"audio": pa.chunked_array([[FILES[0], sound_file(tone(300, 0.5))]])}

    encoded = fitted.encode(longer, np.float32)

    assert encoded.lengths.tolist() == [len(LOGS[0]), NUM_STEPS]
    assert encoded.notes == [f"row 2 is longer than the longest sound of training, and cut to its {NUM_STEPS} steps."]


def test_it_is_read_back_from_json(fitted):
    again = AudioPreprocessing.from_json(json.loads(json.dumps(fitted.to_json())))

    assert again == fitted
    assert again.layout == fitted.layout


def test_scaling_is_that_of_each_number_of_a_row(fitted):
    mean, std = fitted.scaling

    assert np.array_equal(mean.reshape(fitted.row.shape)[3], fitted.mean)
    assert np.array_equal(std.reshape(fitted.row.shape)[-1], fitted.std)
