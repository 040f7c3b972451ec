"""`precision: bfloat16` beside the loop that people write with `torch.autocast`, for images and sequences."""

import pytest
import torch
from part_way import hashes_of, train_steps
from token_rows import TokenRows
from torch.nn import functional

from regcore.checkpoint import load_newest, save_checkpoint
from regcore.data.source import KnownSource

NUM_STEPS = 4
EMBEDDING = {"kind": "embedding", "features": 8}
NETWORKS = {
    "convolutions": (
        KnownSource(),
        [
            {"kind": "conv2d", "channels": 8, "padding": 1},
            {"kind": "batch_norm"},
            {"kind": "activation"},
            {"kind": "pool"},
            {"kind": "residual", "layers": [{"kind": "conv2d", "channels": 8, "padding": 1}, {"kind": "layer_norm"}]},
        ],
    ),
    "lstm": (TokenRows(), [EMBEDDING, {"kind": "lstm", "hidden": 6}, {"kind": "global_pool", "method": "last"}]),
    "transformer": (
        TokenRows(),
        [EMBEDDING, {"kind": "position"}, {"kind": "transformer_block", "num_heads": 2}, {"kind": "global_pool"}],
    ),
}
SHARE = {"convolutions": 0.05, "lstm": 0.05, "transformer": 0.9}
"""How far ours may be from the loop, as a share of bfloat16's distance to float32. Stacked products of a transformer
round after adding their bias, and those of a module before."""


@pytest.fixture(params=NETWORKS)
def make_run(request, make_job, make_trainer):
    """Two members of one network, which have not begun."""
    source, layers = NETWORKS[request.param]

    def make():
        jobs = [
            make_job(
                data={"train_limit": 60 if isinstance(source, KnownSource) else None},
                model={"kind": "layers", "layers": [*layers, {"kind": "linear"}]},
                optimizer={"learning_rate": 0.05, "momentum": 0.9},
                training={"epochs": 4, "batch_size": 25, "seed": seed, "precision": "bfloat16"},
            )
            for seed in range(2)
        ]
        return make_trainer(*jobs, source=source)

    return make


def plain_loop(stack, member, *, autocast):
    """The first steps of one member, as people write them."""
    module, train = stack.network.module(member).train(), stack.data.train
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05, momentum=0.9)
    for step in range(NUM_STEPS):
        rows = stack.rows(*divmod(step, stack._lead.steps_per_epoch))[member]
        lengths = () if train.lengths is None else (train.lengths[rows],)
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            outputs = module(train.x[rows], *lengths)
        functional.cross_entropy(outputs.float(), train.y[rows]).backward()
        optimizer.step()
    return {name: tensor.detach() for name, tensor in module.state_dict().items()}


def distance(a, b):
    """The largest difference of two members' tensors."""
    return max(float((a[name].double() - b[name].double()).abs().max()) for name in a)


def test_steps_are_those_of_a_plain_loop_under_autocast(make_run, request):
    trainer = make_run()
    expected = [plain_loop(trainer.stack, member, autocast=True) for member in range(2)]
    exact = [plain_loop(trainer.stack, member, autocast=False) for member in range(2)]

    train_steps(trainer, NUM_STEPS)

    for member in range(2):
        ours = trainer.stack.network.member_state(member)
        assert all(tensor.dtype in (torch.float32, torch.int64) for tensor in ours.values())
        share = SHARE[request.node.callspec.params["make_run"]]
        assert distance(ours, expected[member]) < share * distance(expected[member], exact[member])


def test_a_run_that_goes_on_has_the_same_bits(make_run, tmp_path):
    stopped = train_steps(make_run(), NUM_STEPS)
    save_checkpoint(tmp_path, stopped.step, stopped.state())
    checkpoint = load_newest(tmp_path)

    resumed = make_run()
    resumed.resume(checkpoint.step, checkpoint.state)

    assert stopped.step % stopped.members[0].plan.steps_per_epoch != 0
    assert hashes_of(resumed) == hashes_of(make_run())
