"""A table whose rows are larger than memory: the limit is lowered, everything else is as it is."""

import numpy as np
import pytest
import torch

from regcore import load_predictor, train
from regcore.artifacts import write_artifacts
from regcore.data import on_disk, placement
from regcore.data.file_rows import FileRows
from regcore.data.on_disk import identity_of
from regcore.data.rows_cache import DIR_VARIABLE
from regcore.data.tables.read.arrays import table_of
from regcore.data.tables.table import read_table, write_table
from regcore.errors import TrainingStopped

RNG = np.random.default_rng(0)
NUM_ROWS = 600
X = {
    "a": RNG.normal(5, 3, NUM_ROWS),
    "b": np.where(RNG.random(NUM_ROWS) < 0.1, None, RNG.choice(["x", "y", "z"], NUM_ROWS)),
    "c": np.repeat(np.arange(6.0), NUM_ROWS // 6),
}
Y = np.where(X["a"] + X["c"] + RNG.normal(size=NUM_ROWS) > 7.5, "high", "low")
SPEC = {
    "model": {"kind": "mlp", "hidden": [8]},
    "training": {"epochs": 3, "batch_size": 32, "seed": 3},
    "regularizers": [{"kind": "dropout", "p": 0.2}],
}


def _weights(result):
    return {name: tensor.tolist() for name, tensor in result.model.state_dict().items()}


@pytest.fixture(autouse=True)
def small_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(placement, "MAX_BYTES_IN_MEMORY", 1_000)
    monkeypatch.setattr(on_disk, "_MAX_PART_ROWS", 50)
    monkeypatch.setenv(DIR_VARIABLE, str(tmp_path / "rows"))


def test_the_rows_lie_in_files_are_those_of_memory_and_are_written_once(tmp_path, monkeypatch):
    result = train(SPEC, X, Y)
    again = train(SPEC, X, Y)

    assert result.plan.rows_in == "disk"
    assert "rows_on_disk" in {warning.code for warning in result.plan.warnings}
    assert isinstance(result.data.train, FileRows)
    assert _weights(again) == _weights(result)
    (folder,) = (tmp_path / "rows").iterdir()
    monkeypatch.undo()
    in_memory = train(SPEC, X, Y)
    assert in_memory.plan.rows_in == "memory"
    assert result.data.preprocessing == in_memory.data.preprocessing
    for name in ("train", "validation", "test"):
        there, here = getattr(result.data, name), getattr(in_memory.data, name)
        batch = there.fetch(torch.arange(len(there)).unsqueeze(0))
        rows = torch.cat([batch.x[0], batch.y[0].unsqueeze(1)], dim=1)
        expected = torch.cat([here.x, here.y.unsqueeze(1)], dim=1)
        assert sorted(rows.tolist()) == sorted(expected.tolist())
        if name != "train":
            assert torch.equal(rows, expected)
    assert folder.name.startswith(identity_of(table_of(X, Y)))
    assert result.metrics["test/accuracy"] > 0.8


def test_a_run_that_is_stopped_in_an_epoch_resumes_exactly(tmp_path):
    whole = train(SPEC, X, Y)
    steps = iter(range(1_000))
    with pytest.raises(TrainingStopped):
        train(SPEC, X, Y, resume_from=tmp_path / "run", should_stop=lambda: next(steps) == 17)

    resumed = train(SPEC, X, Y, resume_from=tmp_path / "run")

    assert _weights(resumed) == _weights(whole)


def test_the_predictor_gives_what_the_runs_own_evaluation_gave(tmp_path):
    result = train(SPEC, X, Y)
    write_artifacts(result, tmp_path / "model")

    predicted = load_predictor(tmp_path / "model").predict(X)

    in_test = result.data.test.fetch(torch.arange(len(result.data.test)).unsqueeze(0))
    own = result.model(in_test.x[0]).argmax(1)
    assert (own == in_test.y[0]).double().mean().item() == pytest.approx(result.metrics["test/accuracy"])
    assert (predicted == Y).mean() > 0.8


def test_a_report_tells_rows_and_groups_of_the_table_that_was_shuffled_into_files():
    spec = SPEC | {"data": {"kind": "arrays", "group_column": "who", "exclude": ["who"]}}
    x = X | {"who": [f"p{k % 50}" for k in range(NUM_ROWS)]}

    result = train(spec, x, Y)

    predicted, labels, who = result.predict(x), np.asarray(Y), np.asarray(x["who"])
    assert isinstance(result.data.train, FileRows)
    worst = result.report["worst_rows"]["splits"]
    assert {split["numbered_in"] for split in worst.values()} == {"data"}
    for row in (row for split in worst.values() for row in split["rows"]):
        assert (row["target"], row["prediction"]) == (labels[row["row"] - 1], predicted[row["row"] - 1])
    for split in result.report["groups"]["splits"].values():
        for told in split["groups"]:
            right = (predicted == labels)[who == told["group"]]
            assert (told["num_rows"], told["metrics"]["accuracy"]["value"]) == (len(right), right.mean())


def test_a_table_in_a_file_has_the_same_identity_wherever_it_lies(tmp_path):
    table = table_of(X, Y)
    write_table(tmp_path / "table", table)

    assert identity_of(read_table(tmp_path / "table")) == identity_of(read_table(tmp_path / "table"))
    assert identity_of(table_of(X, np.roll(Y, 1))) != identity_of(table)
