import pytest
import torch
from safetensors.torch import save_file

from regcore import make_plan, parse_spec
from regcore.errors import InvalidDataError
from regcore.loop.group import Newcomer, train_group
from regcore.loop.network import StackedNetwork
from regcore.loop.starting_weights import load_starting_weights


@pytest.fixture
def network(make_job):
    plans = [make_plan(parse_spec(make_job(training={"seed": seed}))) for seed in range(3)]
    return StackedNetwork(plans, dtype=torch.float32, device=torch.device("cpu"), autocast=False)


def shapes(network):
    return {name: tuple(weight.shape[1:]) for name, weight in network.tensors.items()}


def test_one_member_takes_them_and_the_others_keep_theirs(network, tmp_path):
    given = {name: torch.randn(shape, dtype=torch.float64) for name, shape in shapes(network).items()}
    save_file(given, tmp_path / "model.safetensors")
    before = [network.member_state(k) for k in range(3)]

    load_starting_weights(tmp_path / "model.safetensors", network, 1)

    for name, tensor in given.items():
        assert torch.equal(network.member_state(1)[name], tensor.float())
        for k in (0, 2):
            assert torch.equal(network.member_state(k)[name], before[k][name])
    assert all(weight.requires_grad for weight in network.tensors.values())


def test_a_file_that_cannot_be_read_is_told(network, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"nothing of the kind")

    for path in (tmp_path / "model.safetensors", tmp_path / "missing.safetensors"):
        with pytest.raises(InvalidDataError, match="cannot be read"):
            load_starting_weights(path, network, 0)


@pytest.mark.parametrize(
    ("change", "differing"),
    [
        (lambda given: given.pop("head.bias"), ["head.bias"]),
        (lambda given: given.update({"extra.weight": torch.zeros(1)}), ["extra.weight"]),
        (lambda given: given.update({"head.weight": torch.zeros(10, 9)}), ["head.weight"]),
    ],
)
def test_weights_of_another_model_are_refused_and_nothing_is_loaded(network, tmp_path, change, differing):
    given = {name: torch.zeros(shape) for name, shape in shapes(network).items()}
    change(given)
    save_file(given, tmp_path / "model.safetensors")
    before = network.member_state(0)

    with pytest.raises(InvalidDataError, match="another model") as caught:
        load_starting_weights(tmp_path / "model.safetensors", network, 0)

    assert caught.value.details == {"differing": differing}
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.member_state(0).items())


def test_a_job_that_names_weights_never_begins_without_them(make_job):
    plan = make_plan(parse_spec(make_job(init_from={"job_id": "job_00000000000000000000000000"})))
    newcomer = Newcomer("0", plan)

    with pytest.raises(InvalidDataError, match="no longer there"):
        dict(train_group([newcomer]))
