"""Runs on texts, from the rows as users hold them to the predictor of their result."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from part_way import hashes_of, train_steps

from regcore import load_predictor, train
from regcore.checkpoint import load_newest, save_checkpoint
from regcore.data.source import TableSource
from regcore.data.tables.handed import handed_rows
from regcore.errors import InvalidDataError
from regcore.loop.network import StackedNetwork

NUM_ROWS = 120
GOOD, BAD = ("great", "lovely", "brilliant"), ("awful", "dull", "poor")
SENTENCE = "the film was a story about people and their lives in this town with music"
FILLER = SENTENCE.split(" ")


def texts_of(seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts of 4 to 12 words, one of which tells the label."""
    draw = random.Random(seed)  # rows of a test
    labels = [draw.choice(("good", "bad")) for _ in range(NUM_ROWS)]
    texts = []
    for label in labels:
        words = [*draw.sample(FILLER, draw.randint(3, 11)), draw.choice(GOOD if label == "good" else BAD)]
        draw.shuffle(words)
        texts.append(" ".join(words))
    return texts, labels


TEXTS, LABELS = texts_of()
BAG = {"kind": "layers", "layers": [{"kind": "embedding", "features": 8}, {"kind": "global_pool"}, {"kind": "linear"}]}
RNN = {
    "kind": "layers",
    "layers": [
        {"kind": "embedding", "features": 5},
        {"kind": "dropout", "p": 0.3},
        {"kind": "lstm", "hidden": 4},
        {"kind": "global_pool", "method": "max"},
        {"kind": "linear"},
    ],
}


def spec_of(model=BAG, features=None, **training):
    return {
        "data": {"kind": "arrays", "features": features},
        "model": model,
        "optimizer": {"kind": "adam", "learning_rate": 0.03},
        "training": {"epochs": 8, "batch_size": 16} | training,
        "resources": {"device": "cpu"},
    }


@pytest.fixture(scope="module", params=["words", "bpe"])
def result(request):
    features = {"kind": "text", "tokenizer": request.param, "vocabulary_size": 90}
    return train(spec_of(features=features), TEXTS, LABELS)


def test_a_bag_of_embeddings_learns_what_the_words_tell(result):
    assert result.metrics["test/accuracy"] >= 0.9
    assert result.report["baseline"]["metrics"]["test"]["accuracy"] < 0.7
    assert result.plan.resolved_spec.data.features.column == "column_1"


def test_its_files_predict_raw_texts_as_its_evaluation_did(result, tmp_path):
    result.save(tmp_path)
    test = result.data.test

    predictor = load_predictor(tmp_path)

    raw = [TEXTS[place] for place in test.rows]
    evaluated = result.model(test.x, test.lengths).softmax(1).detach().numpy()
    np.testing.assert_allclose(predictor.predict_proba(raw), evaluated, rtol=1e-6)
    assert set(predictor.predict(raw)) <= {"good", "bad"}
    assert predictor.predict([raw[0], "zzz"]).tolist()[0] == predictor.predict(raw).tolist()[0]


def test_a_file_of_rows_and_handed_texts_give_the_same_network(tmp_path):
    path = tmp_path / "reviews.jsonl"
    path.write_text("".join(json.dumps({"review": t, "label": n}) + "\n" for t, n in zip(TEXTS, LABELS, strict=True)))
    spec = spec_of(epochs=1)

    from_file = train(spec | {"data": {"kind": "file", "path": str(path), "target": "label"}})

    assert from_file.weights_sha256 == train(spec, TEXTS, LABELS).weights_sha256


def test_a_folder_of_texts_trains(tmp_path):
    for number, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True)):
        folder = tmp_path / "reviews" / label
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.txt").write_text(text)

    trained = train(spec_of(epochs=1) | {"data": {"kind": "file", "path": str(tmp_path / "reviews")}})

    assert trained.plan.classes == ["bad", "good"]
    assert trained.predict(TEXTS[:2]).shape == (2,)


@pytest.mark.parametrize("tokenizer", ["words", "bpe"])
def test_validation_and_test_texts_change_nothing_of_the_model(tmp_path, tokenizer):
    split = ["train"] * 80 + ["validation"] * 20 + ["test"] * 20
    poisoned = [*TEXTS[:80], *(f"unheard words {n} of great things" for n in range(40))]
    spec = spec_of(features={"kind": "text", "column": "text", "tokenizer": tokenizer}, epochs=2)
    spec["data"] |= {"target": "label", "split_column": "split"}

    files = []
    for name, texts in (("clean", TEXTS), ("poisoned", poisoned)):
        train(spec, {"text": texts, "label": LABELS, "split": split}).save(tmp_path / name)
        files.append([(tmp_path / name / file).read_bytes() for file in ("model.safetensors", "model.json")])

    assert files[0] == files[1]


def test_a_split_without_any_known_word_is_refused():
    split = ["train"] * 100 + ["test"] * 20
    texts = [*TEXTS[:100], *(f"unheard{n} words{n}" for n in range(20))]
    spec = spec_of(features={"kind": "text", "column": "text"})
    spec["data"] |= {"target": "label", "split_column": "split"}

    with pytest.raises(InvalidDataError, match="none of the 20 test texts has a word that the train texts have"):
        train(spec, {"text": texts, "label": LABELS, "split": split})


def test_odd_texts_are_told_of():
    records = []
    texts = ["", *TEXTS[1:]]

    train(spec_of(features={"kind": "text", "max_tokens": 9}, epochs=1), texts, LABELS, on_record=records.append)

    told = {record.body["code"] for record in records if record.kind == "warning"}
    assert {"texts_empty", "texts_cut"} <= told


@pytest.fixture
def source():
    return TableSource.of(handed_rows(TEXTS, LABELS))


def jobs_of(number, **training):
    return [spec_of(RNN, seed=3 + k, **{"epochs": 2, "batch_size": 32} | training) for k in range(number)]


def test_a_member_ends_as_its_solo_run_does_though_others_have_longer_rows(train_members, source):
    jobs = jobs_of(3, precision="float64")

    together = train_members(*jobs, source=source)

    for job, ours in zip(jobs, together, strict=True):
        (solo,) = train_members(job, source=source)
        torch.testing.assert_close(ours.state, solo.state, rtol=1e-8, atol=1e-8)


def test_a_run_that_goes_on_from_the_middle_of_an_epoch_has_the_same_bits(make_trainer, source, tmp_path: Path):
    jobs = jobs_of(2)
    stopped = train_steps(make_trainer(*jobs, source=source), 4)
    save_checkpoint(tmp_path, stopped.step, stopped.state())
    checkpoint = load_newest(tmp_path)

    resumed = make_trainer(*jobs, source=source)
    resumed.resume(checkpoint.step, checkpoint.state)

    assert stopped.step % stopped.members[0].plan.steps_per_epoch != 0
    assert hashes_of(resumed) == hashes_of(make_trainer(*jobs, source=source))


def test_leaving_out_padding_does_not_change_what_is_learned(train_members, source, monkeypatch):
    (job,) = jobs_of(1, precision="float64", batch_size=32)
    job["model"] = {"kind": "layers", "layers": [layer for layer in RNN["layers"] if layer["kind"] != "dropout"]}
    seen: list[int] = []
    forward = StackedNetwork.forward

    def watched(network, tensors, x, *others, **named):
        outputs, way = forward(network, tensors, x, *others, **named)
        seen.append(network.cuts_rows)
        return outputs, way

    monkeypatch.setattr(StackedNetwork, "forward", watched)
    (cut,) = train_members(job, source=source)
    monkeypatch.setattr("regcore.loop.network._may_be_cut", lambda nodes: False)
    (whole,) = train_members(job, source=source)

    assert set(seen) == {True, False}
    torch.testing.assert_close(cut.state, whole.state, rtol=1e-9, atol=1e-9)
    assert [row["values"].keys() for row in cut.history] == [row["values"].keys() for row in whole.history]
    for row, expected in zip(cut.history, whole.history, strict=True):
        assert row["values"] == pytest.approx(expected["values"], rel=1e-9, abs=1e-9)
