import pytest

from regcore.data.features import AudioFeatures
from regcore.data.media_facts import AudioFacts
from regcore.data.sounds.handed import table_of_sounds
from regcore.data.sounds.inputs import AudioInputs, choose_sounds
from regcore.data.sounds.steps import num_steps_of
from regcore.data.tables.read.arrays import table_of
from regcore.shapes import RowInfo
from regcore.spec import JobSpec
from regcore.spec.data import ArraysData

LONG = AudioFacts(
    max_duration_s=25.5, total_duration_s=40.5, sample_rates={8_000: 1, 22_050: 3}, durations_s={3: 1, 12: 1, 26: 1}
)


def chosen(table, **data):
    errors = []
    inputs = choose_sounds(table.facts, ArraysData(kind="arrays", **data), "y", errors)
    return inputs, errors


@pytest.fixture(scope="module")
def table():
    return table_of_sounds([[0.0] * 800, [0.5] * 1_600], ["a", "b"], 8_000)


def told(inputs, table):
    spec = JobSpec(data={"kind": "arrays"}, model={"kind": "linear"})
    return {doubt.code: doubt for doubt in inputs.doubts(table.facts, spec, target="y", class_counts={"a": 1, "b": 1})}


def test_without_features_sounds_keep_their_rate_up_to_16_000_hz(table):
    inputs, errors = chosen(table)

    assert errors == []
    assert inputs.features == AudioFeatures(sample_rate=8_000)
    assert AudioInputs(AudioFeatures(), LONG).features.sample_rate == 16_000


def test_the_row_is_as_long_as_the_longest_sound_and_varies(table):
    inputs, _ = chosen(table, features={"kind": "audio", "sample_rate": 8_000, "num_mels": 40})

    assert inputs.row == RowInfo((num_steps_of(1_600, inputs.features), 40), varies=True)
    assert (inputs.modality, inputs.names) == ("audio", ("audio",))


def test_they_are_read_fitted_and_encoded(table):
    inputs, _ = chosen(table)
    columns = inputs.read(table.columns)

    encoder = inputs.fit(columns, standardize=True, given=["audio"], target="y")

    encoded = encoder.encode(columns, "float32")
    assert (encoder.row, encoded.x.shape[1:]) == (inputs.row, inputs.row.shape)
    assert encoded.lengths.tolist() == [8, 18]


@pytest.mark.parametrize(("longest_s", "count"), [(10, "2"), (11.5, "at least 1"), (25.2, "at least 1")])
def test_sounds_that_are_cut_are_counted(longest_s, count, table):
    found = told(AudioInputs(AudioFeatures(max_duration_s=longest_s), LONG), table)["sounds_cut"]

    assert found.message.startswith(f"{count} of 3 sounds are longer than {longest_s:g} s, and are cut there")
    assert found.pointer == "/data/features"


def test_a_rate_above_that_of_every_sound_is_told(table):
    inputs = AudioInputs(AudioFeatures(sample_rate=44_100, max_duration_s=30), LONG)

    assert told(inputs, table)["sounds_upsampled"].message == (
        "No sound has more than 22,050 Hz, and features.sample_rate is 44,100: the bands above 11,025 Hz hold nothing."
    )
    assert told(AudioInputs(AudioFeatures(max_duration_s=30), LONG), table) == {}


@pytest.mark.parametrize(
    ("data", "pointer", "code"),
    [
        ({"exclude": ["audio"]}, "/data/exclude/0", "no_features"),
        ({"types": {"audio": "category"}}, "/data/types/audio", "type_mismatch"),
    ],
)
def test_sounds_are_the_only_input(data, pointer, code, table):
    _, errors = chosen(table, **data)

    assert [(error.pointer, error.code) for error in errors] == [(pointer, code)]


def test_a_table_holds_no_sounds():
    inputs, errors = chosen(table_of({"a": [1, 2], "y": [1, 2]}), features={"kind": "audio"})

    assert inputs is None
    assert [(error.pointer, error.code) for error in errors] == [("/data/features/kind", "wrong_modality")]
