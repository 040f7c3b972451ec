import pytest
import torch

from regcore import make_plan, parse_spec
from regcore.checkpoint import load_newest, save_checkpoint
from regcore.data.prepare_known import prepare
from regcore.errors import CheckpointError
from regcore.loop.member import Member
from regcore.loop.network import StackedNetwork
from regcore.loop.planned_rows import task_of
from regcore.loop.resuming import check_members, saved_state
from regcore.loop.trainer import Trainer

OPTIMIZERS = [{"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9}, {"kind": "adam", "learning_rate": 0.01}]


@pytest.fixture
def make_trainer(make_job):
    """Four members after two epochs, each with a momentum, kept weights and an early stopping of its own."""

    def make(optimizer):
        plans = [
            make_plan(
                parse_spec(
                    make_job(
                        optimizer=optimizer,
                        regularizers=[{"kind": "early_stopping", "patience": 1 + seed, "min_delta": 1e9}],
                        training={"epochs": 8, "seed": seed},
                    )
                )
            )
            for seed in range(4)
        ]
        data = prepare(plans[0].resolved_spec, None, device=torch.device("cpu"))
        network = StackedNetwork(plans, dtype=data.train.x.dtype, device=torch.device("cpu"), autocast=False)
        members = [Member(str(k), plan, lambda record: None) for k, plan in enumerate(plans)]
        trainer = Trainer(members, network, data, task_of(plans[0], data))
        # It yields when a first member stops; the rest are whole between two steps.
        next(trainer.run())
        return trainer

    return make


def leaves(node):
    """Every value of a tree by its path."""
    if isinstance(node, dict):
        return {(name, *path): leaf for name, inner in node.items() for path, leaf in leaves(inner).items()}
    return {(): node}


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["sgd", "adam"])
@pytest.mark.parametrize("positions", [[1], [0, 2], [2, 1]])
def test_what_is_selected_is_what_a_trainer_of_these_members_would_save(make_trainer, tmp_path, optimizer, positions):
    trainer = make_trainer(optimizer)
    save_checkpoint(tmp_path, trainer.step, trainer.state())

    selected = leaves(saved_state(load_newest(tmp_path).state, positions))

    expected = leaves(trainer.select(positions).state())
    assert selected.keys() == expected.keys()
    for path, value in expected.items():
        if isinstance(value, torch.Tensor):
            torch.testing.assert_close(selected[path], value.detach(), rtol=0, atol=0)
        elif path != ("elapsed_s",):
            assert selected[path] == value


def test_what_is_selected_keeps_nothing_of_the_others_in_memory(make_trainer, tmp_path):
    trainer = make_trainer(OPTIMIZERS[1])
    save_checkpoint(tmp_path, trainer.step, trainer.state())

    selected = leaves(saved_state(load_newest(tmp_path).state, [1]))

    tensors = [value for value in selected.values() if isinstance(value, torch.Tensor)]
    assert tensors
    for tensor in tensors:
        assert tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()


def test_a_checkpoint_of_other_members_is_refused():
    with pytest.raises(CheckpointError, match="other members: other not among short, long"):
        check_members(["short", "other"], ["short", "long"])
