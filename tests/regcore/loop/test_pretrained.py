import itertools

import pytest
import torch
from torchvision.models import get_model

from regcore import train
from regcore.errors import CheckpointError, InvalidDataError, TrainingStopped
from regcore.loop import pretrained
from regcore.loop.pretrained import _read, _with_places, find_weights
from regcore.plan import make_plan

FILE = "resnet18-f37072fd.pth"
RESNET = {"kind": "torchvision", "name": "resnet18", "weights": "DEFAULT", "small_images": False}


@pytest.fixture(scope="module")
def state():
    """What stands in for the operator's file: random weights for 12 classes."""
    torch.manual_seed(3)
    return get_model("resnet18", num_classes=12).state_dict()


@pytest.fixture
def folder(tmp_path, state):
    (tmp_path / "weights").mkdir()
    torch.save(state, tmp_path / "weights" / FILE)
    return tmp_path


@pytest.fixture
def job(make_job):
    return make_job(
        model=RESNET,
        data={"train_limit": 20, "standardize": True},
        training={"epochs": 2, "batch_size": 10},
        regularizers=[{"kind": "freeze"}],
    )


def test_it_begins_with_the_file_but_for_what_has_other_shapes_and_says_so(job, folder, state):
    records = []

    trained = train(job, data_dir=folder, on_record=records.append).model.state_dict()

    fresh = {"conv1.weight", "fc.weight", "fc.bias"}
    assert {name for name in state if not torch.equal(trained[name], state[name])} == fresh
    said = [one.body["message"] for one in records if one.body.get("code") == "pretrained_weights"]
    which = "conv1.weight, fc.weight, fc.bias begin(s) at random: other shapes."
    assert said == [f"resnet18 begins with IMAGENET1K_V1 of {FILE}; {which}"]


def test_a_run_goes_on_with_the_same_bits_and_not_with_another_file(job, folder, state, tmp_path):
    calls, checkpoints = itertools.count(), tmp_path / "checkpoints"
    with pytest.raises(TrainingStopped):
        train(job, data_dir=folder, resume_from=checkpoints, should_stop=lambda: next(calls) == 3)

    torch.save(state | {"fc.bias": torch.ones(12)}, folder / "weights" / FILE)
    with pytest.raises(CheckpointError, match="the file of its pretrained weights, is not that of the checkpoint"):
        train(job, data_dir=folder, resume_from=checkpoints)
    torch.save(state, folder / "weights" / FILE)
    resumed = train(job, data_dir=folder, resume_from=checkpoints)

    assert resumed.weights_sha256 == train(job, data_dir=folder).weights_sha256


def test_without_the_file_it_says_where_it_looked_and_downloads_nothing(job, tmp_path, monkeypatch):
    monkeypatch.delenv("REGCORE_ALLOW_DOWNLOADS", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    with pytest.raises(InvalidDataError) as missing:
        train(job, data_dir=tmp_path)

    assert FILE in missing.value.message
    assert f"Looked in {tmp_path}/weights, {tmp_path}/hub/checkpoints, {tmp_path}/torch" in missing.value.message
    assert "model.weights to null" in missing.value.remedy


def test_it_is_downloaded_where_the_operator_allows_it_and_kept_only_with_the_hash_of_its_name(
    job, tmp_path, monkeypatch
):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / FILE).write_bytes(b"something else")
    monkeypatch.setattr(pretrained, "ADDRESS", f"{(tmp_path / 'site').as_uri()}/")
    monkeypatch.setenv("REGCORE_ALLOW_DOWNLOADS", "true")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    spec = make_plan(job).resolved_spec

    with pytest.raises(InvalidDataError, match=r"and it cannot be downloaded: invalid hash value"):
        find_weights(spec, tmp_path)

    assert not list((tmp_path / "weights").glob("*"))


def test_a_file_of_something_else_is_refused(job, folder):
    for content in ({"fc.weight": torch.zeros(2, 512)}, [1, 2]):
        torch.save(content, folder / "weights" / FILE)

        with pytest.raises(InvalidDataError, match=f"{FILE} does not hold the weights of resnet18"):
            train(job, data_dir=folder)


def test_names_of_older_files_are_understood(tmp_path):
    with torch.device("meta"):
        current = get_model("densenet121")
    state = {name: torch.full(tensor.shape, float(len(name))) for name, tensor in current.state_dict().items()}
    old = {name.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): each for name, each in state.items()}
    torch.save(old, tmp_path / "old.pth")

    read = _read(tmp_path / "old.pth", "densenet121")

    assert old.keys() != state.keys()
    assert all(torch.equal(read[name], state[name]) for name in state if "num_batches" not in name)


def test_embeddings_of_places_are_interpolated_to_the_images_size():
    places = torch.cat([torch.full((1, 1, 2), 9.0), torch.tensor([1.0, -3.0]).expand(1, 16, 2)], 1)

    fitted = _with_places({"encoder.pos_embedding": places}, 5)["encoder.pos_embedding"]

    torch.testing.assert_close(fitted, torch.tensor([[[9.0, 9.0], *[[1.0, -3.0]] * 4]]))


def test_a_plan_warns_if_images_are_not_scaled_as_those_that_the_weights_know(job):
    plain = job | {"data": job["data"] | {"standardize": False}}

    (warning,) = [one for one in make_plan(plain).warnings if one.code == "pretrained_on_scaled_images"]

    assert warning.pointer == "/data/standardize"
    assert not [one for one in make_plan(job).warnings if one.code == warning.code]
