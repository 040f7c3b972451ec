"""Each kind of network on each kind of data, from POST to prediction.

A floor is what a job of these few epochs must reach; beside it stands what a plainer model of scikit-learn reaches on
the same rows. `benchmarks/` has longer runs.
"""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from regclient import Client
from regcore import JobSpec, load_predictor
from regcore.data.load import load
from regcore.data.prepare_known import prepare

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

MNIST = {
    "kind": "builtin",
    "name": "mnist-5k",
    "train_limit": 1500,
    "test_fraction": 0.2,
    "validation_fraction": 0.05,
}
DIGITS = {"kind": "builtin", "name": "digits", "train_limit": 280, "test_fraction": 0.06, "validation_fraction": 0.05}
TEXT = {"kind": "builtin", "name": "tiny-text"}
SPEECH = {"kind": "builtin", "name": "tiny-speech"}
CODE = 16


def job(data, model, epochs, rate, batch_size=32, **fields):
    training = {"epochs": epochs, "eval_every_epochs": epochs, "batch_size": batch_size}
    optimizer = {"kind": "adam", "learning_rate": rate}
    return {"data": data, "model": model, "optimizer": optimizer, "training": training, **fields}


RECONSTRUCTION = {"kind": "reconstruction"}
JOBS = {
    "cnn": job(MNIST, {"kind": "cnn", "channels": [8, 16]}, 2, 0.01),
    "dense autoencoder": job(
        MNIST, {"kind": "autoencoder", "hidden": [256], "code": CODE}, 12, 0.003, task=RECONSTRUCTION
    ),
    "convolutional autoencoder": job(
        MNIST,
        {"kind": "autoencoder", "hidden": [16, 32], "code": CODE, "convolutional": True},
        6,
        0.01,
        task=RECONSTRUCTION,
    ),
    "resnet18": job(DIGITS, {"kind": "torchvision", "name": "resnet18"}, 3, 0.02, 16)
    | {"optimizer": {"kind": "sgd", "learning_rate": 0.02, "momentum": 0.5}},
    "embedding bag": job(TEXT, {"kind": "linear"}, 4, 0.03, 64),
    "lstm": job(TEXT, {"kind": "rnn", "hidden": 32, "embedding": 32, "pooling": "max"}, 4, 0.01, 64),
    "transformer": job(TEXT, {"kind": "transformer", "width": 32, "depth": 1, "heads": 2, "feedforward": 64}, 4, 0.01),
    "spoken": job(SPEECH, {"kind": "cnn", "kernel_size": 5}, 8, 0.005),
}


@pytest.fixture(scope="module")
def client(stack):
    with Client(f"http://127.0.0.1:{stack.port}", (stack.data_dir / "api-key").read_text().strip()) as client:
        yield client


@pytest.fixture(scope="module")
def ended(client):
    """The jobs, which wait for the worker together; each by its name, once it has ended."""
    submitted = {name: client.jobs.create(spec) for name, spec in JOBS.items()}
    return lambda name: submitted[name].wait(timeout_s=300, progress=False)


def prepared(name):
    """The rows of the job, as they are in the set and as the network sees them."""
    spec = JobSpec.model_validate(JOBS[name])
    return load(spec.data), prepare(spec)


def answers(ended, name, tmp_path):
    """The job's predictor, the raw rows of the test split, and their labels."""
    raw, data = prepared(name)
    folder = tmp_path / "model"
    ended(name).download(folder)
    rows = raw.x[data.test.rows]
    if raw.image_maximum is not None:
        rows = (rows * raw.image_maximum).round()
    return load_predictor(folder), rows, raw.y[data.test.rows]


def flat(split):
    return split.x.numpy().reshape(len(split), -1)


def logistic_accuracy(data):
    model = LogisticRegression(max_iter=100, tol=1e-2).fit(flat(data.train), data.train.y)
    return model.score(flat(data.test), data.test.y)


@pytest.mark.parametrize(("name", "floor"), [("cnn", 0.9), ("resnet18", 0.7), ("spoken", 0.85)])
def test_convolutions_classify_images_and_sounds(ended, tmp_path, name, floor):
    """A CNN after 2 epochs on 1,500 digits: about 0.93, logistic regression 0.89.

    resnet18 from scratch, after 3 epochs on 400 images of 8×8: about 0.88, logistic regression 0.95: so deep a network
    is no help there. Words of voices that the CNN never heard: about 0.97.
    """
    done = ended(name)

    predictor, x, y = answers(ended, name, tmp_path)

    accuracy = done.result["metrics"]["test/accuracy"]
    assert accuracy >= floor
    right = predictor.predict_proba(x).argmax(1) == y
    assert right.mean() == pytest.approx(accuracy, abs=1e-9)
    if name == "cnn":
        assert accuracy > logistic_accuracy(prepared(name)[1])


@pytest.mark.parametrize("name", ["dense autoencoder", "convolutional autoencoder"])
def test_an_autoencoder_loses_less_than_pca_with_a_code_of_its_width(ended, tmp_path, name):
    """PCA of 16 components leaves 0.0279; dense about 0.0225 after 12 epochs, convolutional 0.0267 after 6."""
    done = ended(name)

    predictor, x, _ = answers(ended, name, tmp_path)

    error = done.result["metrics"]["test/reconstruction_error"]
    data = prepared(name)[1]
    pca = PCA(CODE, random_state=0).fit(flat(data.train))
    test = flat(data.test)
    assert error < ((pca.inverse_transform(pca.transform(test)) - test) ** 2).mean()
    assert predictor.reconstruction_error(x).mean() == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize(("name", "floor"), [("embedding bag", 0.7), ("lstm", 0.6), ("transformer", 0.6)])
def test_networks_of_each_kind_classify_sentences(ended, tmp_path, name, floor):
    """After 4 epochs about 0.78, 0.72 and 0.71 of six classes; logistic regression on TF-IDF has about 0.8."""
    done = ended(name)

    predictor, x, y = answers(ended, name, tmp_path)

    accuracy = done.result["metrics"]["test/accuracy"]
    assert accuracy >= floor
    right = predictor.predict_proba(list(x)).argmax(1) == y
    assert right.mean() == pytest.approx(accuracy, abs=1e-9)
    if name == "embedding bag":
        raw, data = prepared(name)
        words = TfidfVectorizer().fit(raw.x[data.train.rows])
        plain = LogisticRegression(C=10).fit(words.transform(raw.x[data.train.rows]), raw.y[data.train.rows])
        assert accuracy > plain.score(words.transform(x), y) - 0.08


def archive_of_digits(path, num_of_each=20):
    """A ZIP of PNG files in the folders train and test, each with a folder for each class."""
    raw = prepared("cnn")[0]
    with zipfile.ZipFile(path, "w") as archive:
        for label in range(10):
            for place, row in enumerate(np.flatnonzero(raw.y == label)[:num_of_each]):
                image = io.BytesIO()
                Image.fromarray((raw.x[row, 0] * 255).round().astype(np.uint8)).save(image, "PNG")
                split = "test" if place % 4 == 0 else "train"
                archive.writestr(f"{split}/digit {label}/{row}.png", image.getvalue())
        archive.writestr("train/.DS_Store", b"left by a system")
    return path


def test_a_zip_of_pictures_goes_from_upload_to_predictions(client, tmp_path):
    data = {"kind": "file", "path": str(archive_of_digits(tmp_path / "digits.zip")), "split_column": "split"}
    spec = job(data, {"kind": "cnn", "channels": [8, 16]}, 20, 0.01, 16)

    done = client.jobs.create(spec).wait(timeout_s=300, progress=False)

    accuracy = done.result["metrics"]["test/accuracy"]
    assert accuracy >= 0.6  # of 150 pictures; chance is 0.1
    done.download(tmp_path / "model")
    with zipfile.ZipFile(tmp_path / "digits.zip") as archive:
        archive.extractall(tmp_path, [name for name in archive.namelist() if name.startswith("test/")])
    predictor = load_predictor(tmp_path / "model")
    files = sorted((tmp_path / "test").rglob("*.png"))
    right = [file.parent.name == said for file, said in zip(files, predictor.predict(files), strict=True)]
    assert np.mean(right) == pytest.approx(accuracy)


def test_a_path_of_strengths_trains_convolutions_in_one_pass(stack):
    base = job({**DIGITS, "train_limit": 200}, {"kind": "cnn", "channels": [4]}, 2, 0.01)
    base["regularizers"] = [{"kind": "l1", "strength": 0.0}]
    axes = [{"pointer": "/regularizers/0/strength", "values": [0.0, 1e-3, 0.1]}]
    answer = stack.client.post("/v1/sweeps", json={"base": base, "axes": axes, "seeds": [0]})
    assert answer.status_code == 201, answer.text
    sweep_id = answer.json()["id"]

    stack.wait_for(lambda: stack.get(f"/v1/sweeps/{sweep_id}")["state"] == "succeeded", 120)

    members = stack.get(f"/v1/jobs?sweep_id={sweep_id}")["data"]
    assert {len(member["result"]["fused_with"]) for member in members} == {2}
    zeros = [point["sparsity"]["value"] for point in stack.get(f"/v1/sweeps/{sweep_id}/path")["points"]]
    assert zeros[0] == 0.0
    assert zeros[0] < zeros[1] < zeros[2]
