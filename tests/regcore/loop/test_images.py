"""Runs on images of one's own: from files or arrays to a trained network and back."""

import zipfile

import numpy as np
import pytest
import torch
from image_files import image_file
from PIL import Image

from regcore import train
from regcore.artifacts import weights_sha256
from regcore.data import placement
from regcore.data.file_rows import FileRows
from regcore.data.read_preprocessing import apply_preprocessing
from regcore.data.rows_cache import DIR_VARIABLE
from regcore.errors import SpecError, TrainingStopped
from regcore.predict import load_predictor

NUM_OF_CLASS = 20
JOB = {
    "model": {"kind": "mlp", "hidden": [8]},
    "optimizer": {"kind": "adam", "learning_rate": 0.02},
    "training": {"epochs": 5, "batch_size": 9},
}


def bars():
    """Grey images of 10 by 12 pixels with a broad bar, upright or lying, and which it is."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 80, (2 * NUM_OF_CLASS, 10, 12), dtype=np.uint8)
    images[:NUM_OF_CLASS, :4] += 170
    images[NUM_OF_CLASS:, :, :4] += 170
    return images, np.repeat(["lying", "upright"], NUM_OF_CLASS)


IMAGES, LABELS = bars()


def write_archive(path, images=IMAGES, labels=LABELS):
    """A ZIP archive with a folder for each class."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            content = image_file(image if isinstance(image, Image.Image) else Image.fromarray(image))
            archive.writestr(f"bars/{label}/{number:03}.png", content)


def of_file(path, **data):
    return JOB | {"data": {"kind": "file", "path": str(path), **data}}


def same_model(one, other):
    return weights_sha256(one.model.state_dict()) == weights_sha256(other.model.state_dict())


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "bars.zip"
    write_archive(path)
    return path


@pytest.fixture(scope="module")
def result(archive):
    return train(of_file(archive))


def test_an_archive_of_folders_trains_what_the_same_arrays_do(result):
    of_arrays = train(JOB, IMAGES, LABELS)

    assert result.plan.warnings == []
    assert result.plan.resolved_spec.data.features.model_dump() == {"kind": "image", "size": [10, 12], "channels": 1}
    assert same_model(of_arrays, result)
    assert of_arrays.metrics == result.metrics
    assert result.metrics["test/accuracy"] == 1


def test_its_predictor_gives_for_raw_images_what_the_runs_own_evaluation_gave(result, archive, tmp_path):
    rows, y = result.data.test.rows, result.data.test.y.numpy()
    result.save(tmp_path)

    predictor = load_predictor(tmp_path)

    encoded = apply_preprocessing(predictor.preprocessing, archive, np.float32).x
    assert np.array_equal(encoded[rows], result.data.test.x.numpy())
    shares = predictor.predict_proba(archive)[rows]
    assert np.allclose(-np.log(shares[np.arange(len(y)), y]), result.rows["test/loss"], rtol=1e-4, atol=1e-6)
    for raw in (IMAGES, [Image.fromarray(image) for image in IMAGES]):
        assert np.array_equal(predictor.predict_proba(raw)[rows], shares)
    assert predictor.predict(archive)[rows].tolist() == LABELS[rows].tolist()


def test_a_run_that_was_stopped_in_the_middle_of_an_epoch_resumes_to_the_bit(result, archive, tmp_path):
    calls = iter(range(1_000))

    with pytest.raises(TrainingStopped):
        train(of_file(archive), resume_from=tmp_path, should_stop=lambda: next(calls) == 5)
    resumed = train(of_file(archive), resume_from=tmp_path)

    assert same_model(resumed, result)
    assert resumed.metrics == result.metrics


def test_nothing_is_learned_from_validation_and_test_images():
    job = JOB | {"data": {"kind": "arrays", "standardize": True}}
    train_rows = np.r_[:12, 20:32]
    honest, poisoned = (
        train(
            job,
            IMAGES[train_rows],
            LABELS[train_rows],
            validation=(held[12:16], LABELS[12:16]),
            test=(held[32:], LABELS[32:]),
        )
        for held in (IMAGES, 255 - IMAGES)
    )

    assert same_model(honest, poisoned)
    assert honest.data.preprocessing == poisoned.data.preprocessing
    assert honest.metrics["validation/loss"] != poisoned.metrics["validation/loss"]


def test_rows_that_are_encoded_to_disk_are_those_of_memory(archive, tmp_path, monkeypatch):
    in_memory = train(of_file(archive, standardize=True))
    monkeypatch.setenv(DIR_VARIABLE, str(tmp_path))
    monkeypatch.setattr(placement, "MAX_BYTES_IN_MEMORY", 1_000)

    on_disk = train(of_file(archive, standardize=True))

    assert isinstance(on_disk.data.test, FileRows)
    assert on_disk.data.preprocessing == in_memory.data.preprocessing
    numbers = torch.arange(len(on_disk.data.test), dtype=torch.int64).unsqueeze(0)
    assert torch.equal(on_disk.data.test.fetch(numbers).x[0], in_memory.data.test.x)


def test_every_mode_and_size_is_brought_to_one_and_that_is_said(tmp_path):
    changes = [
        lambda image: image.convert("RGBA"),
        lambda image: image.convert("RGB").quantize(8),
        lambda image: image.resize((24, 20)),
        lambda image: image.convert("1"),
    ]
    images = [changes[number % 4](Image.fromarray(image)) for number, image in enumerate(IMAGES)]
    write_archive(tmp_path / "mixed.zip", images)

    mixed = train(of_file(tmp_path / "mixed.zip", features={"kind": "image", "size": [12, 10], "channels": 1}))

    assert mixed.data.train.x.shape[1:] == (1, 12, 10)
    assert {"images_converted", "images_of_many_sizes"} <= {warning.code for warning in mixed.plan.warnings}
    shares = mixed.predictor().predict_proba(images)
    assert np.array_equal(mixed.predictor().predict_proba(tmp_path / "mixed.zip"), shares)


@pytest.mark.parametrize(
    ("kind", "metric"), [("regression", "test/mae"), ("reconstruction", "test/reconstruction_error")]
)
def test_a_number_of_each_image_and_images_themselves_are_predicted(kind, metric):
    shades = IMAGES.mean(axis=(1, 2))
    job = JOB | {"task": {"kind": kind}}
    if kind == "reconstruction":
        job |= {"model": {"kind": "autoencoder", "hidden": [16], "code": 4}}

    made = train(job, IMAGES, shades if kind == "regression" else None)

    rows = made.data.test.rows
    if kind == "regression":
        errors = np.abs(made.predict(IMAGES[rows]) - shades[rows])
    else:
        errors = made.predictor().reconstruction_error(IMAGES[rows])
        assert made.predict(IMAGES[rows]).shape == (len(rows), 1, 10, 12)
    assert errors.mean() == pytest.approx(made.metrics[metric], rel=1e-5)


@pytest.mark.parametrize(
    ("rows", "code"), [(slice(0, NUM_OF_CLASS), "one_class"), (slice(0, NUM_OF_CLASS + 2), "class_too_small")]
)
def test_too_few_classes_or_images_of_one_are_refused(tmp_path, rows, code):
    write_archive(tmp_path / "few.zip", IMAGES[rows], LABELS[rows])

    with pytest.raises(SpecError) as caught:
        train(of_file(tmp_path / "few.zip"))

    assert [error.code for error in caught.value.errors] == [code]


def test_folders_that_say_the_split_are_doubted_until_they_are_used(tmp_path):
    for split, rows in {"train": np.r_[:16, 20:36], "test": np.r_[16:20, 36:40]}.items():
        for number in rows:
            folder = tmp_path / "bars" / split / LABELS[number]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.png").write_bytes(image_file(Image.fromarray(IMAGES[number])))

    drawn = train(of_file(tmp_path / "bars"))
    (warning,) = drawn.plan.warnings
    said = train(of_file(tmp_path / "bars", split_column=warning.patch[0]["value"]))

    assert warning.code == "split_not_used"
    assert said.plan.warnings == []
    assert (len(said.data.train), len(said.data.test), said.data.validation) == (32, 8, None)
