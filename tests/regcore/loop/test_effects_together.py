"""Effects that wrap each other, change weights and remember, over steps of several batches: alone as in a stack, and
from the middle as in one go."""

import pytest
import torch
from part_way import hashes_of, train_steps

from regcore.checkpoint import load_newest, save_checkpoint
from regcore.plan import make_plan

RESIDUAL = {
    "kind": "layers",
    "layers": [
        {"kind": "linear", "features": 8},
        {"kind": "batch_norm"},
        {"kind": "residual", "layers": [{"kind": "activation"}, {"kind": "linear", "features": 8}]},
        {"kind": "activation"},
        {"kind": "dropout", "p": 0.1},
        {"kind": "linear"},
    ],
}
EFFECTS = {
    "sam": [{"rho": 0.05}, {"rho": 0.5}],
    "grad_clip": [{"max_norm": 0.5}, {"max_norm": 2.0}],
    "ema": [{"decay": 0.5}, {"decay": 0.9}],
    "spectral_norm": [{}, {}],
    "l0": [{"strength": 1e-3, "dropout_rate": 0.3}, {"strength": 1e-2, "dropout_rate": 0.1}],
    "stochastic_depth": [{"p": 0.3}, {"p": 0.0}],
    "r_drop": [{"strength": 0.5}, {"strength": 2.0}],
    "early_stopping": [{"patience": 100}, {"patience": 100}],
}


def jobs_of(make_job):
    """Two jobs that differ in every number in which they may, and in their seeds; steps of three batches."""
    return [
        make_job(
            model=RESIDUAL,
            optimizer={"kind": "adam", "learning_rate": 0.02},
            regularizers=[{"kind": kind} | members[k] for kind, members in EFFECTS.items()],
            training={"epochs": 2, "batch_size": 7, "grad_accumulation": 3, "seed": 4 + k, "precision": "float64"},
        )
        for k in range(2)
    ]


def test_a_member_ends_as_its_solo_run_does(make_job, train_members):
    jobs = jobs_of(make_job)
    assert len({make_plan(job).fusion_key for job in jobs}) == 1

    together = train_members(*jobs)

    for job, ours in zip(jobs, together, strict=True):
        (solo,) = train_members(job)
        torch.testing.assert_close(ours.state, solo.state, rtol=1e-8, atol=1e-8)
        assert ours.selected_epoch == solo.selected_epoch
        for row, expected in zip(ours.history, solo.history, strict=True):
            assert row["values"] == pytest.approx(expected["values"], rel=1e-8, abs=1e-8)


def test_a_run_that_goes_on_from_the_middle_of_an_epoch_has_the_same_bits(make_job, make_trainer, tmp_path):
    jobs = jobs_of(make_job)
    stopped = train_steps(make_trainer(*jobs), 8)
    save_checkpoint(tmp_path, stopped.step, stopped.state())
    checkpoint = load_newest(tmp_path)

    resumed = make_trainer(*jobs)
    resumed.resume(checkpoint.step, checkpoint.state)

    assert stopped.step % stopped.members[0].plan.steps_per_epoch != 0
    assert hashes_of(resumed) == hashes_of(make_trainer(*jobs))
