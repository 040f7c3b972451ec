"""`training.grad_accumulation`: parts of a step are as one batch of all their rows, whatever the kind of rows."""

import pytest
import torch
from token_rows import TokenRows

from regcore.data.source import KnownSource

EMBEDDING = {"kind": "embedding", "features": 8}
SOFT = {"kind": "label_smoothing", "epsilon": 0.1}
NETWORKS = {
    "images": (KnownSource(), [{"kind": "conv2d", "channels": 8, "padding": 1}, {"kind": "pool"}]),
    "lstm": (
        TokenRows(),
        [EMBEDDING, {"kind": "lstm", "hidden": 6, "bidirectional": True}, {"kind": "global_pool", "method": "max"}],
    ),
    "transformer": (
        TokenRows(),
        [EMBEDDING, {"kind": "position"}, {"kind": "transformer_block", "num_heads": 2}, {"kind": "global_pool"}],
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_parts_of_a_step_are_one_batch_also_where_the_last_are_uneven(make_job, train_members, name):
    source, layers = NETWORKS[name]

    def jobs(**training):
        return [
            make_job(
                data={"train_limit": 60 if isinstance(source, KnownSource) else None},
                model={"kind": "layers", "layers": [*layers, {"kind": "linear"}]},
                regularizers=[SOFT, {"kind": "grad_clip", "max_norm": 0.5}],
                training={"epochs": 2, "precision": "float64", "seed": seed} | training,
            )
            for seed in range(2)
        ]

    # Steps of 21, 21 and 18 rows; the last is 7, 7 and 4.
    parts = train_members(*jobs(batch_size=7, grad_accumulation=3), source=source)
    whole = train_members(*jobs(batch_size=21), source=source)

    for part, one in zip(parts, whole, strict=True):
        torch.testing.assert_close(part.state, one.state, rtol=1e-9, atol=1e-9)
        assert part.history[-1]["values"] == pytest.approx(one.history[-1]["values"], rel=1e-9, abs=1e-9)
