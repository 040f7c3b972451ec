"""Jobs and runs that the engine's tests share."""

from typing import Any

import pytest


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The base with changes; objects of the same kind are merged, everything else is replaced."""
    merged = dict(base)
    for name, value in changes.items():
        old = merged.get(name)
        is_same = isinstance(old, dict) and isinstance(value, dict) and value.get("kind") in (None, old.get("kind"))
        merged[name] = old | value if is_same else value
    return merged


@pytest.fixture(scope="session")
def make_job():
    """Gives job specs as JSON: a small network on 100 digits for two epochs, with what a test changes."""

    def make(**changes: Any) -> dict[str, Any]:
        base = {
            "data": {"kind": "builtin", "name": "digits", "train_limit": 100},
            "model": {"kind": "mlp", "hidden": [8]},
            "optimizer": {"kind": "sgd"},
            "training": {"epochs": 2, "batch_size": 32},
            "resources": {"device": "cpu"},
        }
        return merge(base, changes)

    return make


@pytest.fixture(scope="session")
def train_members():
    """Trains several jobs in one stack, or one alone; gives its trainer, with the network and the data in it."""
    import torch

    from regcore.data.prepare import prepare
    from regcore.loop.losses import row_losses
    from regcore.loop.network import StackedNetwork
    from regcore.loop.trainer import Trainer
    from regcore.plan import make_plan
    from regcore.spec import parse_spec

    def train(*jobs: dict[str, Any]) -> Trainer:
        plans = [make_plan(parse_spec(job)) for job in jobs]
        data = prepare(plans[0].resolved_spec)
        network = StackedNetwork(plans, dtype=data.train.x.dtype, device=torch.device("cpu"), autocast=False)
        losses = row_losses(plans[0].loss)
        trainer = Trainer(plans, network, data, losses, on_record=lambda record: None, should_stop=lambda: False)
        trainer.run()
        return trainer

    return train
