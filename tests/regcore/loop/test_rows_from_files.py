"""Runs on rows that lie in files: each gives what the same rows give in memory, if they come in the same order."""

from dataclasses import replace

import pytest
import torch
from part_way import hashes_of, train_steps

from regcore.checkpoint import load_newest, save_checkpoint
from regcore.data.file_rows import FileRows, open_rows
from regcore.data.prepared import Split, dtype_of
from regcore.data.source import KnownSource
from regcore.data.write_rows import write_rows
from regcore.errors import InvalidDataError, TrainingStopped
from regcore.loop.group import Newcomer, train_group
from regcore.loop.identity import data_sha256
from regcore.plan import make_plan, plan

SPLITS = ("train", "validation", "test")
MODELS = {
    "mlp": {"kind": "mlp", "hidden": [6]},
    "cnn": {
        "kind": "layers",
        "layers": [
            {"kind": "conv2d", "channels": 3, "kernel_size": 3},
            {"kind": "batch_norm"},
            {"kind": "activation"},
            {"kind": "flatten"},
            {"kind": "linear"},
        ],
    },
}


class RowsFromFiles(KnownSource):
    """The rows of a built-in set, written to files once and read back; a slab holds few of their blocks."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def prepare(self, spec, *, device="cpu"):
        prepared = super().prepare(spec)
        if not self.folder.exists():
            parts = {name: [getattr(prepared, name)] for name in SPLITS}
            write_rows(self.folder, parts, num_classes=len(prepared.classes), block_bytes=2**10)
        return replace(prepared, **open_rows(self.folder, dtype=dtype_of(spec), slab_bytes=2**14))


class RowsInMemory(KnownSource):
    """The same rows in memory, which say that they come in blocks, and so come in the order of those in files."""

    def __init__(self, block_rows):
        super().__init__()
        self.block_rows = block_rows

    def prepare(self, spec, *, device="cpu"):
        prepared = super().prepare(spec)

        class InBlocks(Split):
            block_rows = self.block_rows

        found = {name: getattr(prepared, name) for name in SPLITS}
        return replace(prepared, **{name: InBlocks(split.x, split.y) for name, split in found.items()})


@pytest.fixture
def source(tmp_path):
    return RowsFromFiles(tmp_path / "rows")


@pytest.fixture
def jobs_of(make_job):
    """Two jobs whose numbers and seeds differ."""

    def make(name):
        return [
            make_job(
                data={"train_limit": 300, "test_fraction": 0.5},
                model=MODELS[name],
                task={"class_weights": "balanced"},
                optimizer={"kind": "adam", "learning_rate": 0.01 * (1 + k)},
                regularizers=[{"kind": "early_stopping", "patience": 50}],
                training={"epochs": 2, "seed": 3 + k},
            )
            for k in range(2)
        ]

    return make


def results_of(jobs, source, **options):
    newcomers = [Newcomer(str(k), make_plan(job, facts_of=source.facts)) for k, job in enumerate(jobs)]
    ended = dict(train_group(newcomers, source=source, **options))
    return [ended[str(k)] for k in range(len(jobs))]


@pytest.mark.parametrize("name", MODELS)
def test_results_are_those_of_the_same_rows_in_memory(jobs_of, source, name):
    from_files = results_of(jobs_of(name), source)
    block_rows = from_files[0].data.train.block_rows

    in_memory = results_of(jobs_of(name), RowsInMemory(block_rows))

    assert isinstance(from_files[0].data.validation, FileRows)
    assert 1 < block_rows < 10
    for ours, theirs in zip(from_files, in_memory, strict=True):
        assert ours.weights_sha256 == theirs.weights_sha256
        assert ours.metrics == theirs.metrics
        assert [row["values"] for row in ours.history] == [row["values"] for row in theirs.history]
        assert ours.report == theirs.report


@pytest.mark.parametrize("name", MODELS)
def test_a_run_that_goes_on_from_the_middle_of_an_epoch_has_the_same_bits(
    jobs_of, make_trainer, source, tmp_path, name
):
    jobs = jobs_of(name)
    stopped = train_steps(make_trainer(*jobs, source=source), 13)
    save_checkpoint(tmp_path / "saved", stopped.step, stopped.state())
    checkpoint = load_newest(tmp_path / "saved")

    resumed = make_trainer(*jobs, source=RowsFromFiles(tmp_path / "rows"))
    resumed.resume(checkpoint.step, checkpoint.state)

    assert stopped.step % stopped.members[0].plan.steps_per_epoch != 0
    assert hashes_of(resumed) == hashes_of(make_trainer(*jobs, source=source))


def test_a_run_is_known_by_the_digests_of_its_files_without_reading_them(jobs_of, source, monkeypatch):
    spec = make_plan(jobs_of("mlp")[0], facts_of=source.facts).resolved_spec
    data = source.prepare(spec)
    monkeypatch.delattr("os.preadv")

    known = data_sha256(data)

    assert known == data_sha256(source.prepare(spec))
    assert known != data_sha256(replace(data, validation=data.test))


@pytest.mark.parametrize("split", SPLITS)
def test_files_of_other_rows_than_those_planned_for_are_refused(jobs_of, source, monkeypatch, split):
    prepare = source.prepare
    monkeypatch.setattr(source, "prepare", lambda spec, **k: replace(prepare(spec), **{split: prepare(spec).train}))
    if split == "train":
        monkeypatch.setattr(source, "prepare", lambda spec, **k: replace(prepare(spec), train=prepare(spec).test))

    with pytest.raises(InvalidDataError, match=rf"expected \d+ {split} rows of shape \(1, 8, 8\); the files hold"):
        results_of(jobs_of("mlp"), source)


@pytest.mark.parametrize(("most", "expected"), [(300 * 64 * 4, "cpu"), (10**9, "cuda")])
def test_rows_lie_on_the_device_if_all_are_small_and_else_in_the_hosts_memory(
    make_job, source, monkeypatch, most, expected
):
    asked = []

    def prepare(spec, *, device):
        asked.append(device)
        raise TrainingStopped("the device is known")

    monkeypatch.setattr(source, "prepare", prepare)
    monkeypatch.setattr(plan, "MAX_ROWS_ON_DEVICE_BYTES", most)

    with pytest.raises(TrainingStopped, match="the device is known"):
        results_of([make_job(resources={"device": "cuda"}, data={"train_limit": 300})], source)

    assert asked == [torch.device(expected)]


def test_a_step_learns_on_the_networks_device_from_rows_that_lie_elsewhere(make_trainer, make_job, source):
    trainer = make_trainer(make_job(data={"train_limit": 300}), source=source)
    moved = []
    trainer.stack._step._rows = _Noting(trainer.stack.data.train, moved)

    trainer.stack.advance(trainer.stack.rows(0, 0))

    assert moved == [trainer.stack.network.device]


class _Noting:
    """Rows whose batches note where they are asked to go."""

    def __init__(self, rows, moved):
        self._rows, self._moved = rows, moved

    def fetch(self, numbers):
        batch = self._rows.fetch(numbers)
        rows = self

        class Noted:
            def to(self, device):
                rows._moved.append(device)
                return batch

        return Noted()
