from types import SimpleNamespace

import pytest

from jobs.errors import JobNotFoundError
from worker.supervise.files import run_inputs
from worker.supervise.inputs import Inputs


@pytest.fixture
def inputs(surroundings):
    lease = SimpleNamespace(insist=lambda ask: ask(), renew_if_due=lambda: None)
    return Inputs(surroundings, 7, lease)


def test_a_model_and_what_describes_it_lie_beside_each_other_by_their_own_names(
    inputs, submit, supervise, surroundings
):
    source = submit("succeed")
    supervise()

    weights = inputs.files("t", source.id)

    assert weights == run_inputs(surroundings.settings.data_dir, 7) / source.id / "model.safetensors"
    assert weights.read_text() == f"weights of {source.id}"
    assert weights.with_name("model.json").read_text() == f"model of {source.id}"


def test_why_a_model_cannot_be_had_is_given_and_asked_once(inputs, surroundings, monkeypatch):
    why = inputs.files("t", "job_gone")

    monkeypatch.setattr(type(surroundings.store), "artifact", None)
    assert isinstance(why, JobNotFoundError)
    assert inputs.files("t", "job_gone") is why
