import errno
import hashlib
import json
import math
import os
import random
import resource
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import torch

from regcore.checkpoint import LoadedCheckpoint, checkpoints, load_newest, save_checkpoint, tensor_bytes

NUM_KILLS = 15


def state_of(step):
    """A state that tells its step in every part."""
    return {"step": step, "weights": torch.full((1000,), float(step)), "history": [{"text": "x" * 500}] * step}


def is_of(loaded: LoadedCheckpoint, step):
    """Whether all that was loaded is the state of this step."""
    expected = state_of(step)
    return (
        loaded.step == loaded.state["step"] == step
        and loaded.state["history"] == expected["history"]
        and torch.equal(loaded.state["weights"], expected["weights"])
    )


def content(tensor):
    """What a tensor is, to the bit: kind, shape and bytes."""
    return tensor.dtype, tuple(tensor.shape), bytes(tensor.contiguous().clone().untyped_storage())


def files_of(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


TENSORS = {
    "float32": torch.tensor([1 / 3, -0.0, math.inf, -math.inf, math.nan, 1e-45]),
    "float64": torch.tensor([[1 / 3, 5e-324], [math.pi, -1e308]], dtype=torch.float64),
    "bfloat16": torch.arange(-8, 8).to(torch.bfloat16) / 3,
    "int64": torch.tensor([2**63 - 1, -(2**63), 0]),
    "bool": torch.tensor([True, False, True]),
    "empty": torch.zeros(0),
    "empty with a shape": torch.zeros(0, 3, dtype=torch.float64),
    "without dimensions": torch.tensor(1 / 3, dtype=torch.float64),
    "that requires a gradient": torch.ones(3, requires_grad=True),
    "transposed": torch.arange(12.0).view(3, 4).T,
    "with gaps": torch.arange(12.0)[::3],
    "expanded": torch.arange(3.0).expand(4, 3),
    "a part of another": torch.arange(12.0)[4:8],
}


@pytest.mark.parametrize("tensor", TENSORS.values(), ids=TENSORS)
def test_a_tensor_comes_back_bit_for_bit(tmp_path, tensor):
    save_checkpoint(tmp_path, 1, {"tensor": tensor})

    loaded = load_newest(tmp_path).state["tensor"]
    assert content(loaded) == content(tensor.detach())


def test_tensors_that_nobody_looks_at_take_no_memory(tmp_path):
    size_bytes = 256 << 20
    save_checkpoint(tmp_path, 1, {"weights": torch.ones(4, size_bytes // 16)})
    resident_bytes = psutil.Process().memory_info().rss

    weights = load_newest(tmp_path).state["weights"]
    row = weights[2].clone()

    assert row.sum() == row.numel()
    assert psutil.Process().memory_info().rss - resident_bytes < 0.75 * size_bytes


def test_nested_values_come_back_as_they_were(tmp_path):
    values = {
        "list": [1, [2, []], {"in": {}, "text": "λ \n\0"}],
        "numbers": [0.1, 1e-300, -0.0, 2**70, math.inf, -math.inf],
        "others": [None, True, False],
    }

    save_checkpoint(tmp_path, 1, values)

    loaded = load_newest(tmp_path).state
    assert loaded == values
    assert [math.copysign(1, number) for number in loaded["numbers"]] == [1, 1, -1, 1, 1, -1]


def test_tensors_among_other_values_come_back_in_their_places(tmp_path):
    first, second, third = torch.arange(3), torch.rand(2, 2), torch.tensor(True)

    save_checkpoint(tmp_path, 1, {"a": [first, 7, {"b": second}], "c": {"d": (third, "text")}})

    loaded = load_newest(tmp_path).state
    assert content(loaded["a"][0]) == content(first)
    assert loaded["a"][1] == 7
    assert content(loaded["a"][2]["b"]) == content(second)
    assert content(loaded["c"]["d"][0]) == content(third)
    assert loaded["c"]["d"][1] == "text"


def test_entries_that_are_one_tensor_come_back_each(tmp_path):
    tensor = torch.rand(3, 4)

    save_checkpoint(tmp_path, 1, {"weights": tensor, "kept": tensor, "others": [tensor]})

    loaded = load_newest(tmp_path).state
    assert {content(each) for each in (loaded["weights"], loaded["kept"], *loaded["others"])} == {content(tensor)}


def test_entries_that_share_memory_come_back_each(tmp_path):
    whole = torch.rand(6, 4)
    parts = [whole[:4], whole[2:], whole[:, 1], whole.T, whole.view(-1), whole[0:0]]

    save_checkpoint(tmp_path, 1, {"whole": whole, "parts": parts})

    loaded = load_newest(tmp_path).state
    assert content(loaded["whole"]) == content(whole)
    assert [content(part) for part in loaded["parts"]] == [content(part) for part in parts]


def test_what_is_saved_is_what_the_state_was_then(tmp_path):
    weights = torch.zeros(3)
    save_checkpoint(tmp_path, 1, {"weights": weights})

    weights += 1

    assert load_newest(tmp_path).state["weights"].tolist() == [0, 0, 0]


def test_the_newest_two_are_kept(tmp_path):
    for step in (1, 2, 10, 300):
        save_checkpoint(tmp_path, step, state_of(step))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000000010", "step-000000000300"]


def test_those_from_a_step_on_can_be_kept_too(tmp_path):
    for step in (1, 2, 3, 4, 5):
        save_checkpoint(tmp_path, step, {}, keep_from=2)

    assert sorted(step for step, _ in checkpoints(tmp_path)) == [2, 3, 4, 5]


def test_the_newest_by_number_is_loaded(tmp_path):
    for step in (9, 10**12 - 1, 10**12):
        save_checkpoint(tmp_path, step, state_of(3))

    assert load_newest(tmp_path).step == 10**12


def test_a_root_is_made_for_its_owner_alone(tmp_path):
    root = tmp_path / "job" / "run"

    save_checkpoint(root, 1, state_of(1))

    assert root.stat().st_mode & 0o077 == 0
    assert is_of(load_newest(root), 1)


def test_what_was_saved_is_described(tmp_path):
    saved = save_checkpoint(tmp_path, 7, state_of(7))

    assert saved.step == 7
    assert saved.path == tmp_path / "step-000000000007"
    assert saved.size_bytes == sum(map(len, files_of(saved.path).values())) > 4000


def test_the_manifest_holds_the_digests_of_the_files(tmp_path):
    path = save_checkpoint(tmp_path, 7, state_of(7)).path

    files = files_of(path)
    manifest = json.loads(files.pop("manifest.json"))
    assert (manifest["format"], manifest["step"]) == (3, 7)
    assert manifest["files"] == {
        name: {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
    }


def test_the_same_step_again_replaces(tmp_path):
    save_checkpoint(tmp_path, 4, state_of(4))
    save_checkpoint(tmp_path, 5, {"is": "old"})

    save_checkpoint(tmp_path, 5, state_of(5))

    assert is_of(load_newest(tmp_path), 5)
    assert [step for step, _ in sorted(checkpoints(tmp_path))] == [4, 5]


def test_other_names_are_no_checkpoints(tmp_path):
    for name in ("step-1", "step-00000000000x", "notes", ".writing-step-000000000001"):
        (tmp_path / name).mkdir()

    assert list(checkpoints(tmp_path)) == []


def test_the_size_of_a_state_is_that_of_its_tensors():
    state = {"a": torch.zeros(3, 2, dtype=torch.float64), "b": [torch.zeros(5), (torch.tensor(True),)], "c": "text"}

    assert tensor_bytes(state) == 3 * 2 * 8 + 5 * 4 + 1


# Damage


def change(name, edit):
    def damage(path):
        (path / name).write_bytes(edit((path / name).read_bytes()))

    return damage


def change_manifest(edit):
    return change("manifest.json", lambda text: json.dumps(edit(json.loads(text))).encode())


def replace_tensors(new):
    """Other bytes under a manifest that agrees with them."""

    def damage(path):
        (path / "tensors.safetensors").write_bytes(new)
        digest = hashlib.sha256(new).hexdigest()
        change_manifest(lambda m: m | {"files": m["files"] | {"tensors.safetensors": {"sha256": digest}}})(path)

    return damage


def replace_by_a_file(path):
    shutil.rmtree(path)
    path.write_bytes(b"")


DAMAGES = {
    "tensors cut short": (change("tensors.safetensors", lambda data: data[:-1]), "tensors.safetensors is not what"),
    "no byte of the tensors": (change("tensors.safetensors", lambda data: b""), "tensors.safetensors is not what"),
    "a byte of the state": (change("state.json", lambda data: data.replace(b"x", b"y", 1)), "state.json is not what"),
    "no manifest": (lambda path: (path / "manifest.json").unlink(), "manifest.json"),
    "no state": (lambda path: (path / "state.json").unlink(), "state.json"),
    "no tensors": (lambda path: (path / "tensors.safetensors").unlink(), "tensors.safetensors"),
    "another format": (change_manifest(lambda m: m | {"format": 1}), "it has format 1, and this version"),
    "no format": (change_manifest(lambda m: {"files": m["files"]}), "format"),
    "no digests": (change_manifest(lambda m: m | {"files": {}}), "tensors.safetensors"),
    "a manifest that is no JSON": (change("manifest.json", lambda data: data[:-2]), "JSONDecodeError"),
    "a manifest that is no text": (change("manifest.json", lambda data: b"\xff" * 9), "UnicodeDecodeError"),
    "a manifest of zeros": (change("manifest.json", lambda data: bytes(len(data))), "JSONDecodeError"),
    "a manifest that is a list": (change_manifest(lambda m: [m]), "TypeError"),
    "a header of no tensors": (replace_tensors(b"\xff" * 64), "SafetensorError"),
    "other tensors": (replace_tensors(b"\x02\0\0\0\0\0\0\0{}"), "KeyError"),
    "a file in its place": (replace_by_a_file, "NotADirectoryError"),
}


@pytest.mark.parametrize(("damage", "reason"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_one_is_passed_over_with_the_reason(tmp_path, damage, reason):
    save_checkpoint(tmp_path, 1, state_of(1))
    damage(save_checkpoint(tmp_path, 2, state_of(2)).path)

    loaded = load_newest(tmp_path)

    assert is_of(loaded, 1)
    (told,) = loaded.unreadable
    assert told.startswith("step-000000000002: ")
    assert reason in told


def test_where_nothing_can_be_read_there_is_no_state(tmp_path):
    for step in (1, 2):
        (save_checkpoint(tmp_path, step, state_of(step)).path / "state.json").unlink()

    loaded = load_newest(tmp_path)

    assert (loaded.step, loaded.state) == (0, None)
    assert [reason[:17] for reason in loaded.unreadable] == ["step-000000000002", "step-000000000001"]


@pytest.mark.parametrize("exists", [True, False])
def test_a_root_without_checkpoints_has_no_state(tmp_path, exists):
    root = tmp_path if exists else tmp_path / "not" / "made"

    assert load_newest(root) == LoadedCheckpoint(0, None, [])


def test_damaged_ones_of_later_steps_go_with_the_next_write(tmp_path):
    for step in (30, 40):
        (save_checkpoint(tmp_path, step, state_of(step)).path / "state.json").unlink()

    save_checkpoint(tmp_path, 10, state_of(10))

    assert is_of(load_newest(tmp_path), 10)
    assert [step for step, _ in checkpoints(tmp_path)] == [10]


# Failing and killed writers


def test_everything_is_on_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    fsync, forced = os.fsync, []

    def recorded(descriptor):
        fsync(descriptor)
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        forced.append((path.name.split("-")[0], (tmp_path / "step-000000000001").exists()))

    monkeypatch.setattr(os, "fsync", recorded)

    save_checkpoint(tmp_path, 1, state_of(1))

    assert sorted(forced[:-2]) == [("manifest.json", False), ("state.json", False), ("tensors.safetensors", False)]
    assert forced[-2:] == [(".writing", False), (tmp_path.name.split("-")[0], True)]


def test_a_write_that_fails_leaves_all_as_it_was(tmp_path, monkeypatch):
    for step in (1, 2):
        save_checkpoint(tmp_path, step, state_of(step))
    before = files_of(tmp_path)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path, 3, state_of(3))

    assert files_of(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == 2


LARGE = {"tensors": {"weights": torch.zeros(4096)}, "the rest": {"text": "x" * 4096}}


def write_where_files_are_small(root, part, answer):
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    try:
        save_checkpoint(root, 2, LARGE[part])
    except OSError as error:
        answer.send(error.strerror)


@pytest.mark.parametrize("part", LARGE)
def test_a_system_that_takes_no_more_bytes_fails_the_write_alone(tmp_path, forkserver, part):
    save_checkpoint(tmp_path, 1, state_of(1))
    before = files_of(tmp_path)
    received, answer = forkserver.Pipe(duplex=False)

    writer = forkserver.Process(target=write_where_files_are_small, args=(tmp_path, part, answer))
    writer.start()
    answer.close()

    assert "File too large" in received.recv()
    writer.join()
    assert files_of(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path):
    leftover = tmp_path / ".writing-abc"
    leftover.mkdir()
    (leftover / "tensors.safetensors").write_bytes(b"half")

    save_checkpoint(tmp_path, 1, state_of(1))

    assert [path.name for path in tmp_path.iterdir()] == ["step-000000000001"]


def write_on_and_on(root, written):
    step = load_newest(root).step
    while True:
        step += 1
        save_checkpoint(root, step, state_of(step))
        written.send(step)


def test_whenever_a_writer_is_killed_its_last_whole_checkpoint_is_loaded(tmp_path, forkserver):
    delays = random.Random(0)
    num_halves = 0

    for _ in range(NUM_KILLS):
        received, written = forkserver.Pipe(duplex=False)
        writer = forkserver.Process(target=write_on_and_on, args=(tmp_path, written))
        writer.start()
        written.close()
        last = received.recv()
        time.sleep(delays.uniform(0, 0.03))
        writer.kill()
        writer.join()
        with suppress(EOFError):
            while True:
                last = received.recv()
        loaded = load_newest(tmp_path)

        assert writer.exitcode == -signal.SIGKILL
        assert loaded.unreadable == []
        assert loaded.step >= last
        assert is_of(loaded, loaded.step)
        num_halves += len(list(tmp_path.glob(".writing-*")))

    assert num_halves > 0, "no kill struck a write"
