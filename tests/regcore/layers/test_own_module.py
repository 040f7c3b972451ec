"""A user's own module in training: `train(spec, x, y, module=net)`."""

import copy
import hashlib
import itertools

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from regcore import load_predictor, train
from regcore.errors import InvalidDataError, TrainingStopped

SPEC = {"optimizer": {"kind": "adam", "learning_rate": 0.01}, "training": {"epochs": 2, "batch_size": 20, "seed": 4}}


class Net(nn.Module):
    """Dropout, a normalization, tied and unused and fixed parameters, and buffers of every kind."""

    def __init__(self, features=6, outputs=3):
        super().__init__()
        self.body = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(features, 8), nn.BatchNorm1d(8), nn.Dropout(0.2))
        self.square = nn.Linear(8, 8)
        self.twin = nn.Linear(8, 8)
        self.twin.weight = self.square.weight
        self.fixed = nn.Linear(8, 8).requires_grad_(False)
        self.unused = nn.Linear(2, 2)
        self.head = nn.Linear(8, outputs)
        self.register_buffer("mask", torch.tensor([True] * 7 + [False]))
        self.register_buffer("scale", torch.tensor(2.0), persistent=False)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int32))

    def forward(self, x):
        if self.training:
            self.calls = self.calls + 1
        h = self.fixed(self.twin(torch.tanh(self.square(self.body(x)))) * self.mask)
        return self.head(h * self.scale)


@pytest.fixture(scope="module")
def rows():
    stream = torch.Generator().manual_seed(1)
    x = torch.randn(200, 6, generator=stream)
    return x.numpy(), x[:, :3].argmax(1).numpy()


@pytest.fixture
def net():
    torch.manual_seed(2)
    return Net()


def test_a_copy_is_trained_and_the_module_and_the_rows_stay_as_they_were(net, rows):
    before, x = copy.deepcopy(net.state_dict()), rows[0].copy()

    result = train(SPEC | {"training": SPEC["training"] | {"epochs": 12}}, *rows, module=net)

    torch.testing.assert_close(dict(net.state_dict()), dict(before), rtol=0, atol=0)
    assert (rows[0] == x).all()
    assert isinstance(result.model, Net)
    assert not result.model.training
    assert result.metrics["test/accuracy"] > 0.6
    trained = result.model.state_dict()
    assert torch.equal(trained["twin.weight"], trained["square.weight"])
    assert result.model.twin.weight is result.model.square.weight
    still = {name for name in before if torch.equal(trained[name], before[name])}
    assert still == {"fixed.weight", "fixed.bias", "unused.weight", "unused.bias", "mask"}
    assert trained["calls"].item() == result.plan.num_steps
    assert not {"fixed.weight", "mask", "twin.weight"} & {one.name for one in result.plan.parameters}


def test_it_descends_as_torch_does(rows):
    plain = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    spec = {
        "data": {"kind": "arrays", "standardize": False, "test_fraction": 0.0, "validation_fraction": 0.0},
        "optimizer": {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9},
        "training": {"epochs": 4, "batch_size": "full", "precision": "float64"},
        "regularizers": [{"kind": "l2", "strength": 0.01}],
    }

    result = train(spec, *rows, module=plain)

    theirs = copy.deepcopy(plain)
    decayed = [each for name, each in theirs.named_parameters() if name.endswith("weight")]
    others = [each for name, each in theirs.named_parameters() if name.endswith("bias")]
    optimizer = torch.optim.SGD([{"params": decayed, "weight_decay": 0.01}, {"params": others}], lr=0.1, momentum=0.9)
    for _ in range(4):
        optimizer.zero_grad()
        nn.functional.cross_entropy(theirs(result.data.train.x), result.data.train.y).backward()
        optimizer.step()
    torch.testing.assert_close(dict(result.model.state_dict()), dict(theirs.state_dict()), rtol=1e-9, atol=1e-12)


def test_a_run_goes_on_with_the_same_bits_also_with_a_module_made_anew(net, rows, tmp_path):
    calls = itertools.count()
    with pytest.raises(TrainingStopped):
        train(SPEC, *rows, module=net, resume_from=tmp_path, should_stop=lambda: next(calls) == 9)

    resumed = train(SPEC, *rows, module=Net(), resume_from=tmp_path)

    assert resumed.is_exact
    assert resumed.weights_sha256 == train(SPEC, *rows, module=net).weights_sha256


def test_its_files_hold_each_name_and_a_predictor_takes_a_module_of_the_kind(net, rows, tmp_path):
    result = train(SPEC, *rows, module=net)

    result.save(tmp_path)

    assert hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest() == result.weights_sha256
    other = Net()
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(other.twin.weight, result.model.square.weight)
    predictor = load_predictor(tmp_path, module=Net())
    assert (predictor.predict_proba(rows[0]) == result.predict_proba(rows[0])).all()
    with pytest.raises(InvalidDataError, match="which its files do not hold") as refused:
        load_predictor(tmp_path)
    assert "module=net" in refused.value.remedy
    with pytest.raises(InvalidDataError, match=r"not the one that was trained: body.1.weight differ"):
        load_predictor(tmp_path, module=Net(features=5))


def test_recurrent_layers_inside_learn_and_freezing_and_rates_know_its_blocks(rows):
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(2, 8, batch_first=True)
            self.head = nn.Linear(8, 3)

        def forward(self, x):
            return self.head(self.lstm(x.view(-1, 3, 2))[0][:, -1])

    net = Recurrent()
    kinds = [{"kind": "layer_lr_decay", "decay": 0.5}, {"kind": "freeze", "select": {"include": ["*bias_hh*"]}}]

    trained = train(SPEC | {"regularizers": kinds}, *rows, module=net).model.state_dict()

    still = {name for name, each in net.state_dict().items() if torch.equal(each, trained[name])}
    assert still == {"lstm.bias_hh_l0"}


class Faulty(nn.Module):
    """Fails in training alone."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 3)

    def forward(self, x):
        if torch.is_grad_enabled():
            raise KeyError("gone")
        return self.linear(x)


def test_a_fault_of_its_forward_in_training_is_told_as_its_own(rows):
    with pytest.raises(InvalidDataError, match=r"the module's forward fails on a batch of shape \(20, 6\): KeyError"):
        train(SPEC, *rows, module=Faulty())
