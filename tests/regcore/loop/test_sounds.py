"""Runs on sounds: from samples to a trained network and back."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sound_files import sound_file, tones

from regcore import train
from regcore.artifacts import weights_sha256
from regcore.data.read_preprocessing import apply_preprocessing
from regcore.errors import TrainingStopped
from regcore.predict import load_predictor

SOUNDS, LABELS = tones(40)
NAMES = np.array(["low", "high"])[LABELS]
JOB = {
    "data": {"kind": "arrays", "features": {"kind": "audio", "sample_rate": 8_000, "num_mels": 16}},
    "model": {"kind": "cnn", "channels": [4]},
    "optimizer": {"kind": "adam", "learning_rate": 0.02},
    "training": {"epochs": 6, "batch_size": 9},
}


@pytest.fixture(scope="module")
def result():
    return train(JOB, SOUNDS, NAMES)


def test_a_network_learns_sounds_of_different_lengths(result):
    assert result.metrics["test/accuracy"] == 1
    assert len(set(result.data.train.lengths.tolist())) > 1
    assert result.plan.resolved_spec.data.features.max_duration_s == 10


def test_its_predictor_gives_for_raw_sounds_what_the_runs_own_evaluation_gave(result, tmp_path):
    test = result.data.test
    result.save(tmp_path / "run")
    files = tmp_path / "sounds"
    files.mkdir()
    for number, row in enumerate(test.rows):
        (files / f"{number}.wav").write_bytes(sound_file(SOUNDS[row], 8_000, "FLOAT"))

    predictor = load_predictor(tmp_path / "run")

    sounds = [SOUNDS[row] for row in test.rows]
    shares = predictor.predict_proba(sounds)
    assert np.array_equal(apply_preprocessing(predictor.preprocessing, sounds, np.float32).x, test.x.numpy())
    of_class = shares[np.arange(len(test)), test.y.numpy()]
    assert np.allclose(-np.log(of_class), result.rows["test/loss"], rtol=1e-5)
    assert np.array_equal(predictor.predict_proba(files), shares)
    assert predictor.predict(files).tolist() == NAMES[test.rows].tolist()


def test_nothing_is_learned_from_validation_and_test_sounds(tmp_path):
    job = JOB | {"training": {"epochs": 2, "batch_size": 9}}
    others, labels = tones(8, seed=1)[0], NAMES[:8]
    poison = [np.random.default_rng(k).standard_normal(len(sound)).astype("f") for k, sound in enumerate(others)]

    honest, poisoned = (
        train(job, SOUNDS[:24], NAMES[:24], validation=(held[:4], labels[:4]), test=(held[4:], labels[4:]))
        for held in (others, poison)
    )

    assert weights_sha256(honest.model.state_dict()) == weights_sha256(poisoned.model.state_dict())
    assert honest.data.preprocessing.to_json() == poisoned.data.preprocessing.to_json()
    assert honest.metrics["validation/loss"] != poisoned.metrics["validation/loss"]


def test_a_run_that_was_stopped_in_the_middle_of_an_epoch_resumes_to_the_bit(result, tmp_path):
    calls = iter(range(1_000))

    with pytest.raises(TrainingStopped):
        train(JOB, SOUNDS, NAMES, resume_from=tmp_path, should_stop=lambda: next(calls) == 7)
    resumed = train(JOB, SOUNDS, NAMES, resume_from=tmp_path)

    assert weights_sha256(resumed.model.state_dict()) == weights_sha256(result.model.state_dict())
    assert resumed.metrics == result.metrics


def test_a_regression_predicts_in_the_targets_own_unit():
    durations = np.array([len(sound) / 8_000 for sound in SOUNDS])
    job = JOB | {"task": {"kind": "regression"}, "training": {"epochs": 1, "batch_size": 9}}

    regression = train(job, SOUNDS, durations)

    rows = regression.data.test.rows
    errors = np.abs(regression.predict([SOUNDS[row] for row in rows]) - durations[rows])
    assert errors.mean() == pytest.approx(regression.metrics["test/mae"])


def test_a_cnn_learns_spoken_digits_of_voices_that_it_never_heard():
    """Floor: 0.9. Of the mean and the spread of each band over time, logistic regression tells about 0.85."""
    job = {
        "data": {"kind": "builtin", "name": "tiny-speech"},
        "model": {"kind": "cnn", "kernel_size": 5},
        "optimizer": {"kind": "adam", "learning_rate": 0.005},
        "training": {"epochs": 10, "eval_every_epochs": 5},
    }

    spoken = train(job)

    assert spoken.plan.warnings == []
    assert spoken.metrics["test/accuracy"] >= 0.9
    assert spoken.metrics["test/accuracy"] > _of_logistic_regression(spoken.data)


def _of_logistic_regression(data):
    def flat(split):
        rows = [x[:length] for x, length in zip(split.x.numpy(), split.lengths.tolist(), strict=True)]
        return np.array([np.r_[x.mean(0), x.std(0)] for x in rows])

    model = LogisticRegression(max_iter=2_000).fit(flat(data.train), data.train.y)
    return model.score(flat(data.test), data.test.y)
