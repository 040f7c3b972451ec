"""Runs on rows of tokens of varying length, from their plan to the predictor of their result."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from part_way import hashes_of, leaves_of, train_steps
from token_rows import NUM_STEPS, NUM_TOKENS, TokenRows

from regcore.checkpoint import load_newest, save_checkpoint
from regcore.data.prepared import Split
from regcore.errors import InvalidDataError, SpecError
from regcore.loop.group import Newcomer, train_group
from regcore.plan import make_plan
from regcore.predict import load_predictor

EMBEDDING = {"kind": "embedding", "features": 6}
POOL = {"kind": "global_pool", "method": "max"}
LSTM = {"kind": "lstm", "hidden": 5, "num_layers": 2, "bidirectional": True}
MODELS = {
    "lstm": lambda k: [EMBEDDING, LSTM, POOL],
    "attention": lambda k: [
        EMBEDDING,
        {"kind": "position"},
        {"kind": "attention", "num_heads": 2},
        {"kind": "dropout", "p": 0.1 * k},
        {"kind": "layer_norm"},
        {"kind": "global_pool", "method": "last"},
    ],
    "transformer": lambda k: [
        EMBEDDING,
        {"kind": "position", "method": "sinusoidal"},
        {"kind": "transformer_block", "num_heads": 2, "feedforward": 7, "dropout": 0.2 * k},
        {"kind": "transformer_block", "num_heads": 3, "norm_first": False, "dropout": 0.1},
        {"kind": "global_pool"},
    ],
    "short cnn": lambda k: {"kind": "cnn", "channels": [8], "norm": "group"},
    "short rnn": lambda k: {"kind": "rnn", "cell": "gru", "hidden": 4, "bidirectional": True, "embedding": 5},
    "short transformer": lambda k: {"kind": "transformer", "width": 6, "depth": 1, "heads": 2, "dropout": 0.2 * k},
    "short mlp": lambda k: {"kind": "mlp", "hidden": [5], "norm": "layer", "residual": True},
}
"""The layers of member k in front of the output layer, or its model."""

SOURCE = TokenRows()


def model_of(*layers):
    return {"kind": "layers", "layers": [*layers, {"kind": "linear"}]}


@pytest.fixture
def jobs_of(make_job):
    """Three jobs whose numbers and seeds differ, with every kind of shrinkage on the way."""

    def make(name, **training):
        return [
            make_job(
                data={"train_limit": None},
                model=model if isinstance(model := MODELS[name](k), dict) else model_of(*model),
                optimizer={"kind": "adam", "learning_rate": 0.01 * (1 + k)},
                regularizers=[
                    {"kind": "l1", "strength": 1e-3 * k},
                    {"kind": "weight_decay", "strength": 0.1},
                    {"kind": "early_stopping", "patience": 50},
                ],
                training={"epochs": 2, "batch_size": 11, "seed": 3 + k, "precision": "float64"} | training,
            )
            for k in range(3)
        ]

    return make


def results_of(jobs):
    newcomers = [Newcomer(str(k), make_plan(job, facts_of=SOURCE.facts)) for k, job in enumerate(jobs)]
    ended = dict(train_group(newcomers, source=SOURCE))
    return [ended[str(k)] for k in range(len(jobs))]


@pytest.fixture(scope="module")
def result(make_job):
    """A trained network of recurrent layers, in float32."""
    model = model_of(EMBEDDING, LSTM, {"kind": "activation"}, POOL)
    job = make_job(
        data={"train_limit": None},
        model=model,
        task={"class_weights": "balanced"},
        optimizer={"kind": "adam", "learning_rate": 0.03},
        training={"epochs": 12, "batch_size": 20},
    )
    (trained,) = results_of([job])
    return trained


@pytest.mark.parametrize("name", MODELS)
def test_a_member_ends_as_its_solo_run_does(train_members, jobs_of, name):
    jobs = jobs_of(name)
    assert len({make_plan(job, facts_of=SOURCE.facts).fusion_key for job in jobs}) == 1

    together = train_members(*jobs, source=SOURCE)

    for job, ours in zip(jobs, together, strict=True):
        (solo,) = train_members(job, source=SOURCE)
        torch.testing.assert_close(ours.state, solo.state, rtol=1e-8, atol=1e-8)
        assert ours.selected_epoch == solo.selected_epoch
        for row, expected in zip(ours.history, solo.history, strict=True):
            assert row["values"] == pytest.approx(expected["values"], rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("name", MODELS)
def test_a_run_that_goes_on_from_the_middle_of_an_epoch_has_the_same_bits(jobs_of, make_trainer, tmp_path, name):
    jobs = jobs_of(name, precision="float32")
    stopped = train_steps(make_trainer(*jobs, source=SOURCE), 8)
    save_checkpoint(tmp_path, stopped.step, stopped.state())
    checkpoint = load_newest(tmp_path)

    resumed = make_trainer(*jobs, source=SOURCE)
    resumed.resume(checkpoint.step, checkpoint.state)

    assert stopped.step % stopped.members[0].plan.steps_per_epoch != 0
    assert hashes_of(resumed) == hashes_of(make_trainer(*jobs, source=SOURCE))


@pytest.mark.parametrize("name", MODELS)
def test_a_member_that_leaves_changes_no_bit_of_what_the_others_remember(jobs_of, make_trainer, name):
    trainer = train_steps(make_trainer(*jobs_of(name), source=SOURCE), 8)

    left = trainer.select([0, 2])

    before, after = dict(leaves_of(trainer.stack.tree)), dict(leaves_of(left.stack.tree))
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], before[name][[0, 2]]) for name in before)


def test_padding_keeps_the_vector_of_zeros_that_it_begins_with(make_trainer, jobs_of):
    trainer = make_trainer(*jobs_of("lstm"), source=SOURCE)
    weight = trainer.stack.network.tensors["embedding1.weight"]
    before = weight.detach().clone()

    train_steps(trainer, 8)

    assert weight.shape == (3, NUM_TOKENS, 6)
    assert not before[:, 0].any()
    assert not weight[:, 0].any()
    assert (weight != before)[:, 1:].all()


def test_it_learns_the_rule(result):
    assert result.metrics["test/accuracy"] == 1
    assert result.report["baseline"]["metrics"]["test"]["accuracy"] < 0.8


def test_saying_the_same_of_each_row_has_the_loss_of_the_train_splits_shares(result):
    shares = result.data.train.y.bincount().double() / len(result.data.train)
    test = result.data.test.y

    expected = (-shares.log() / (2 * shares))[test].mean()  # classes are balanced

    assert result.report["baseline"]["metrics"]["test"]["loss"] == pytest.approx(float(expected))


def test_its_files_predict_raw_rows_as_its_evaluation_did(result, tmp_path):
    result.save(tmp_path)
    test = result.data.test

    predictor = load_predictor(tmp_path)

    raw = [SOURCE.rows[place] for place in test.rows]
    assert predictor.predict(raw).tolist() == test.y.tolist()
    evaluated = result.model(test.x, test.lengths).softmax(1).detach()
    torch.testing.assert_close(torch.from_numpy(predictor.predict_proba(raw)).float(), evaluated)


@pytest.mark.parametrize("name", MODELS)
def test_a_row_alone_is_scored_as_in_a_crowd(jobs_of, name):
    (trained,) = results_of(jobs_of(name, precision="float32")[:1])

    crowd = trained.predict_proba(SOURCE.rows)

    alone = [trained.predict_proba([row])[0] for row in SOURCE.rows]
    assert np.array_equal(np.stack(alone), crowd)


def test_units_without_effect_are_those_of_steps_in_use(result):
    plain, units = result.model, result.report["sparsity"]["dead_units"]["lstm1"]
    train = result.data.train
    shown = plain[:3](train.x, train.lengths)
    used = torch.arange(NUM_STEPS) < train.lengths.unsqueeze(1)
    steps = shown[used]

    assert units == int((steps == steps[0]).all(0).sum())


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], r"linear expects numbers \(put an embedding in front of it\); it gets tokens, \(7,\) from the rows"),
        ([EMBEDDING], r"layers\[1\] linear: flatten expects rows of one length .* from layers\[0\] embedding"),
        ([EMBEDDING, EMBEDDING, POOL], r"layers\[1\] embedding expects tokens.* from layers\[0\] embedding"),
        ([EMBEDDING, {"kind": "conv2d", "channels": 2}, POOL], r"conv2d expects \(C, H, W\); it gets \(7, 6\)"),
    ],
    ids=["no embedding", "no pooling", "two embeddings", "convolution"],
)
def test_layers_that_do_not_fit_tokens_are_refused(make_job, layers, message):
    with pytest.raises(SpecError, match=message):
        make_plan(make_job(data={"train_limit": None}, model=model_of(*layers)), facts_of=SOURCE.facts)


def test_dropout_on_tokens_is_refused(make_job):
    job = make_job(model=model_of(EMBEDDING, POOL), regularizers=[{"kind": "dropout", "p": 0.1, "where": "input"}])

    with pytest.raises(SpecError, match="dropout expects numbers") as refused:
        make_plan(job | {"data": {"kind": "builtin", "name": "digits"}}, facts_of=SOURCE.facts)

    assert refused.value.errors[0].pointer == "/regularizers/0"


@pytest.mark.parametrize(
    ("x", "lengths", "message"),
    [
        ([[1, 12]], [2], "from 0 to 11, with 0 for padding; row 0 has 12"),
        ([[1, 2], [-1, 2]], [2, 2], "row 1 has -1"),
        ([[1, 2], [0, 0]], [2, 0], "row 1 must use from 1 to 2 steps; received 0"),
        ([[1, 2]], [3], "row 0 must use from 1 to 2 steps; received 3"),
        ([[1.0, 2.0]], [2], "tokens must be integers"),
    ],
    ids=["unknown token", "negative token", "no step", "too many steps", "numbers"],
)
def test_rows_that_no_network_can_read_are_refused(x, lengths, message):
    with pytest.raises(InvalidDataError, match=message):
        Split(torch.tensor(x), torch.zeros(len(x)), None, torch.tensor(lengths), NUM_TOKENS)


def test_a_source_that_gives_other_rows_than_it_planned_is_refused(make_job):
    class Numbers(TokenRows):
        def facts(self, spec, /):
            return replace(super().facts(spec), tokens=None, varies=False)

    job = make_job(data={"train_limit": None}, model=model_of())
    newcomer = Newcomer("0", make_plan(job, facts_of=Numbers().facts))

    with pytest.raises(InvalidDataError, match="expected numbers in rows of one length; the source gives 12 tokens"):
        list(train_group([newcomer], source=Numbers()))
