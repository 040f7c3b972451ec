"""A run that is killed twice, at random steps, gives the bits of one that is not. Processes and kills are real.

Only the clock of its checkpoints is not: it goes on by a second at every step, so that `checkpoint_every_s` counts
steps, and what was saved before a kill is known.
"""

import itertools
import json
import os
import random
import signal
from types import SimpleNamespace

import pytest

from regcore import train
from regcore.loop import checkpointer

L1 = {"kind": "l1", "strength": 1e-3}
L2 = {"kind": "l2", "strength": 1e-2}
ELASTIC_NET = {"kind": "elastic_net", "l1": 1e-3, "l2": 1e-2}
WEIGHT_DECAY = {"kind": "weight_decay", "strength": 0.01}
DROPOUT = {"kind": "dropout", "p": 0.3}
INPUT_DROPOUT = {"kind": "dropout", "p": 0.1, "where": "input"}
REMEMBERING = [{"kind": "ema", "decay": 0.8}, {"kind": "spectral_norm"}, {"kind": "l0", "strength": 1e-3}]
WRAPPERS = [{"kind": "sam"}, {"kind": "grad_clip", "max_norm": 0.5}]
PATIENT = {"kind": "early_stopping", "patience": 100}
IMPATIENT = {"kind": "early_stopping", "patience": 2}
COSINE = {"kind": "cosine", "warmup_epochs": 0.5}
STEPS = {"kind": "step", "every_epochs": 2, "gamma": 0.5, "warmup_epochs": 1.5}
DIABETES = {"kind": "builtin", "name": "diabetes"}


def sgd(**numbers):
    return {"kind": "sgd", "learning_rate": 0.1} | numbers


JOBS = {
    "sgd": {"optimizer": sgd(momentum=0.0)},
    "momentum": {"optimizer": sgd(momentum=0.9)},
    "nesterov, steps, warm-up": {"optimizer": sgd(nesterov=True, schedule=STEPS)},
    "cosine, l2": {"optimizer": sgd(schedule=COSINE), "regularizers": [L2]},
    "adam, dropout, cosine": {
        "optimizer": {"kind": "adam", "learning_rate": 0.01, "schedule": COSINE},
        "regularizers": [DROPOUT, INPUT_DROPOUT],
    },
    "adam, l1": {"optimizer": {"kind": "adam", "learning_rate": 0.01}, "regularizers": [L1]},
    "adamw, early stopping": {
        "optimizer": {"kind": "adamw", "learning_rate": 0.05, "weight_decay": 0.1},
        "regularizers": [IMPATIENT],
        "training": {"epochs": 30},
    },
    "adamw, elastic net": {"optimizer": {"kind": "adamw"}, "regularizers": [ELASTIC_NET]},
    "rmsprop, l1, decay": {
        "optimizer": {"kind": "rmsprop", "learning_rate": 0.01},
        "regularizers": [L1, WEIGHT_DECAY],
    },
    "rmsprop with momentum": {"optimizer": {"kind": "rmsprop", "momentum": 0.5}, "regularizers": [DROPOUT]},
    "selected, not stopped": {
        "optimizer": sgd(learning_rate=1.5, momentum=0.0),
        "regularizers": [PATIENT],
    },
    "float64": {"optimizer": sgd(), "regularizers": [DROPOUT], "training": {"precision": "float64"}},
    "bfloat16": {"optimizer": sgd(), "regularizers": [DROPOUT], "training": {"precision": "bfloat16"}},
    "accumulated": {
        "optimizer": sgd(),
        "regularizers": [DROPOUT],
        "training": {"batch_size": 5, "grad_accumulation": 3},
    },
    "full batch": {"optimizer": sgd(), "training": {"batch_size": "full", "epochs": 40}},
    "rows that remain": {"optimizer": sgd(), "training": {"batch_size": 13}},
    "seldom evaluated": {"optimizer": sgd(), "training": {"eval_every_epochs": 4}},
    "regression": {
        "data": DIABETES,
        "task": {"loss": "huber"},
        "model": {"kind": "linear"},
        "regularizers": [ELASTIC_NET],
    },
    "two layers, balanced": {
        "data": {"kind": "builtin", "name": "breast-cancer"},
        "model": {"kind": "mlp", "hidden": [8, 6], "activation": "tanh"},
        "task": {"class_weights": "balanced"},
    },
    "sequences": {
        "model": {
            "kind": "layers",
            "layers": [
                {"kind": "lstm", "hidden": 6, "bidirectional": True},
                {"kind": "transformer_block", "num_heads": 2, "feedforward": 8, "dropout": 0.2},
                {"kind": "global_pool"},
                {"kind": "linear"},
            ],
        },
        "optimizer": {"kind": "adam", "learning_rate": 0.01},
    },
    "everything": {
        "optimizer": {"kind": "adam", "learning_rate": 0.01, "schedule": STEPS},
        "regularizers": [
            *[L1, L2, ELASTIC_NET, WEIGHT_DECAY, DROPOUT, INPUT_DROPOUT, PATIENT],
            *REMEMBERING,
            *WRAPPERS,
        ],
        "training": {"batch_size": 10, "grad_accumulation": 2},
    },
}


@pytest.fixture
def make_resumable(make_job):
    """One of the jobs, of about seven epochs."""

    def make(name, **training):
        changes = JOBS[name]
        training = {"epochs": 7, "batch_size": 16} | changes.get("training", {}) | training
        return make_job(**changes | {"training": training})

    return make


def train_until_killed(job, root, call, told):
    """Be killed when asked for the n-th time whether to stop; every record is in the file before."""
    asked = 0

    def kill():
        nonlocal asked
        asked += 1
        if asked == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    checkpointer.time = SimpleNamespace(monotonic=lambda: float(asked))
    with told.open("a", buffering=1) as file:
        train(
            job,
            resume_from=root,
            should_stop=kill,
            on_record=lambda record: file.write(json.dumps({"kind": record.kind, "body": record.body}) + "\n"),
        )


@pytest.fixture
def run_and_kill(forkserver, tmp_path):
    """Trains in a process of its own that is killed before the n-th step that it would take; gives its records."""
    numbers = itertools.count(1)

    def run(job, root, call):
        told = tmp_path / f"records-of-run-{next(numbers)}"
        process = forkserver.Process(target=train_until_killed, args=(job, root, call, told))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        return [json.loads(line) for line in told.read_text().splitlines()]

    return run


def bodies(records, kind):
    return [record["body"] for record in records if record["kind"] == kind]


def step_gone_on_from(records):
    """What a run says of where it begins."""
    words = [body["message"].removeprefix("going on from the checkpoint of step ") for body in bodies(records, "log")]
    return int(words[0]) if words else 0


def step_saved_last(begun_at, call, every):
    """The step of the newest checkpoint when the n-th step of a run that began at some step is not taken any more."""
    saved = range(begun_at + every - 1, begun_at + call - 1, every)
    return saved[-1] if saved else begun_at


def joined_metrics(runs):
    """One log of all runs: what a run told of steps after the checkpoint that the next one goes on from is void."""
    joined = []
    for records in runs:
        joined = [body for body in joined if body["step"] <= step_gone_on_from(records)] + bodies(records, "metrics")
    return joined


@pytest.mark.parametrize("name", JOBS)
def test_a_run_that_is_killed_at_random_steps_ends_with_the_bits_of_one_that_is_not(
    make_resumable, run_and_kill, tmp_path, name
):
    dice = random.Random(name)
    every = dice.randint(2, 8)
    job = make_resumable(name, checkpoint_every_s=every)
    expected = train(job)
    num_steps = expected.history[-1]["step"]
    first_call = dice.randint(every + 1, num_steps * 3 // 4)
    second_call = dice.randint(1, num_steps - first_call)
    root, last = tmp_path / "checkpoints", []

    runs = [run_and_kill(job, root, first_call), run_and_kill(job, root, second_call)]
    result = train(job, resume_from=root, on_record=last.append)
    runs.append([{"kind": record.kind, "body": record.body} for record in last])

    second_begins = step_saved_last(0, first_call, every)
    third_begins = step_saved_last(second_begins, second_call, every)
    assert [step_gone_on_from(records) for records in runs] == [0, second_begins, third_begins]
    assert second_begins > 0
    assert result.weights_sha256 == expected.weights_sha256
    assert result.selected_epoch == expected.selected_epoch
    assert result.metrics == expected.metrics
    assert result.is_exact
    evaluations = [(row["step"], row["values"]) for row in expected.history]
    assert [(row["step"], row["values"]) for row in result.history] == evaluations
    assert [(body["step"], body["values"]) for body in joined_metrics(runs)] == evaluations


def test_the_runs_with_early_stopping_stop_early_and_select_an_earlier_epoch(make_resumable):
    stopped, selected = train(make_resumable("adamw, early stopping")), train(make_resumable("selected, not stopped"))

    assert stopped.selected_epoch == len(stopped.history) - 2 < 28
    assert selected.selected_epoch < len(selected.history) == 7
