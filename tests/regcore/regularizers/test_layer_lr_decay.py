import pytest
import torch
from torch import nn

from regcore import train
from regcore.at import At
from regcore.loop.network import first_tensors

MODEL = {"kind": "mlp", "hidden": [8, 6]}
DECAY = {"kind": "layer_lr_decay", "decay": 0.5}
SGD = {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9}
ADAM = {"kind": "adam", "learning_rate": 0.01}
ADAMW = {"kind": "adamw", "learning_rate": 0.01, "weight_decay": 0.3}
IN_TORCH = {
    "sgd": (SGD, lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9)),
    "adam": (ADAM, lambda groups: torch.optim.Adam(groups, lr=0.01)),
    "adamw": (ADAMW, lambda groups: torch.optim.AdamW(groups, lr=0.01, weight_decay=0.3)),
}
RATES = {"linear1": 0.25, "linear2": 0.5, "head": 1.0}


@pytest.fixture
def job(make_job):
    def make(**changes):
        training = {"epochs": 5, "batch_size": "full", "precision": "float64"}
        return make_job(**({"model": MODEL, "training": training, "regularizers": [DECAY]} | changes))

    return make


@pytest.mark.parametrize("name", IN_TORCH)
def test_it_is_torchs_parameter_groups_of_these_rates(job, name):
    optimizer, in_torch = IN_TORCH[name]
    result = train(job(optimizer=optimizer))

    first = first_tensors(result.plan.layers, result.plan.row, 0)
    layers = {"linear1": nn.Linear(64, 8), "linear2": nn.Linear(8, 6), "head": nn.Linear(6, 10)}
    net = nn.ModuleDict(layers).double()
    net.load_state_dict(first)
    base = optimizer["learning_rate"]
    theirs = in_torch([{"params": net[layer].parameters(), "lr": base * rate} for layer, rate in RATES.items()])
    for _ in range(5):
        theirs.zero_grad()
        hidden = torch.relu(net["linear2"](torch.relu(net["linear1"](result.data.train.x.flatten(1)))))
        nn.functional.cross_entropy(net["head"](hidden), result.data.train.y).backward()
        theirs.step()
    torch.testing.assert_close(result.model.state_dict(), dict(net.state_dict()), rtol=1e-9, atol=1e-11)


def test_members_have_their_own_table_of_rates(job, make_trainer):
    stack = make_trainer(*(job(regularizers=[DECAY | {"decay": decay}]) for decay in (0.5, 0.1))).stack
    effect = stack._effects["layer_lr_decay"]

    rates = {name: does.rate for name, does in effect.elementwise(stack._update, At(0, 1, 1)).items()}

    expected = {"linear1": (0.25, pytest.approx(0.01)), "linear2": (0.5, 0.1)}
    assert rates == {f"{layer}.{kind}": rate for layer, rate in expected.items() for kind in ("weight", "bias")}


def test_depth_counts_frozen_layers_and_only_selected_tensors_have_such_rates(job, make_trainer):
    freeze = {"kind": "freeze", "select": {"include": ["linear2.*"]}}
    decay = DECAY | {"select": {"include": ["*.weight"]}}
    stack = make_trainer(job(regularizers=[decay, freeze])).stack
    effect = stack._effects["layer_lr_decay"]

    rates = {name: does.rate for name, does in effect.elementwise(stack._update, At(0, 1, 1)).items()}

    assert rates == {"linear1.weight": (0.25,)}


def test_groups_shrink_by_the_weights_own_rate(job):
    lasso = {"kind": "group_lasso", "strength": 0.05}
    plain = {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.0}
    training = {"epochs": 1, "batch_size": "full", "precision": "float64"}
    result = train(job(model={"kind": "mlp", "hidden": [8]}, optimizer=plain, training=training,
                       regularizers=[DECAY, lasso]))  # fmt: skip
    without = train(job(model={"kind": "mlp", "hidden": [8]}, optimizer=plain, training=training))

    before, after = (one.model.state_dict()["linear1.weight"] for one in (without, result))
    norms = before.norm(dim=1, keepdim=True)
    expected = before * (1 - 0.5 * 0.1 * 0.05 * 64**0.5 / norms).clamp(min=0)
    torch.testing.assert_close(after, expected, rtol=1e-9, atol=1e-12)
