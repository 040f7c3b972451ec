"""Checkpoints on disk: each is a directory that is complete or absent, in a root that keeps the two newest.

    {root}/step-000000000340/tensors.safetensors     every tensor of the state
                             state.json              all the rest, with numbers in the tensors' places
                             manifest.json           format, step, and SHA-256 of the other two; written last

A checkpoint is written to a temporary directory in the root, forced to disk and renamed, and then the root is forced to
disk: a crash at any moment leaves the earlier checkpoints as they were. This module does not know what it saves.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

FORMAT: Final = 3
NUM_KEPT: Final = 2
_TENSORS: Final = "tensors.safetensors"
_STATE: Final = "state.json"
_MANIFEST: Final = "manifest.json"
_NAME: Final = re.compile(r"step-(\d{12,})")
_TEMPORARY_PREFIX: Final = ".writing-"
_TENSOR_KEY: Final = "$tensor"

State = dict[str, Any]
"""Nested dicts and lists of JSON values and tensors. Keys are text; numbers may be infinite."""


@dataclass(frozen=True)
class SavedCheckpoint:
    """A checkpoint that is on disk.

    Attributes:
        path: Its directory.
        step: Optimizer steps that were taken before it.
        size_bytes: The size of its files.
    """

    path: Path
    step: int
    size_bytes: int


@dataclass(frozen=True)
class LoadedCheckpoint:
    """The newest readable checkpoint of a root.

    Attributes:
        step: Optimizer steps that were taken before it.
        state: As it was saved. Tensors are on the CPU, mapped from the file, so that unused ones and unused rows take
            no memory. None if nothing can be read.
        unreadable: Newer checkpoints that cannot be read, each with the reason.
    """

    step: int
    state: State | None
    unreadable: list[str]


class UnreadableError(Exception):
    """A directory that is not a complete checkpoint of this format."""


def save_checkpoint(root: Path, step: int, state: State, *, keep_from: int | None = None) -> SavedCheckpoint:
    """Write a checkpoint, then delete all others except the newest one before it.

    Args:
        root: The directory; made if there is none.
        step: Optimizer steps taken so far, which names it; one of the same step is replaced.
        state: What to save.
        keep_from: Also keep checkpoints from this step on, the newest that the store has accepted.

    Raises:
        OSError: It could not be written, for example because the disk is full. The earlier checkpoints are as they
            were.
    """
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    tensors: list[torch.Tensor] = []
    tree = _without_tensors(state, tensors)
    temporary = Path(tempfile.mkdtemp(dir=root, prefix=_TEMPORARY_PREFIX))
    try:
        _save_tensors(tensors, temporary / _TENSORS)
        (temporary / _STATE).write_text(json.dumps(tree, separators=(",", ":")))
        files = {name: _describe(temporary / name) for name in (_TENSORS, _STATE)}
        (temporary / _MANIFEST).write_text(json.dumps({"format": FORMAT, "step": step, "files": files}))
        size_bytes = sum(path.stat().st_size for path in temporary.iterdir())
        for path in (*temporary.iterdir(), temporary):
            _force_to_disk(path)
        destination = root / f"step-{step:012d}"
        if destination.exists():
            shutil.rmtree(destination)
        temporary.rename(destination)
        _force_to_disk(root)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _delete_others(root, step, step if keep_from is None else keep_from)
    return SavedCheckpoint(destination, step, size_bytes)


def load_newest(root: Path) -> LoadedCheckpoint:
    """Read the newest complete checkpoint."""
    unreadable: list[str] = []
    for step, path in sorted(checkpoints(root), reverse=True):
        try:
            return LoadedCheckpoint(step, _load(path), unreadable)
        except UnreadableError as error:
            unreadable.append(f"{path.name}: {error}")
    return LoadedCheckpoint(0, None, unreadable)


def tensor_bytes(node: Any) -> int:
    """The size of a state's tensors."""
    if isinstance(node, torch.Tensor):
        return node.numel() * node.element_size()
    if isinstance(node, Mapping):
        return sum(map(tensor_bytes, node.values()))
    return sum(map(tensor_bytes, node)) if isinstance(node, list | tuple) else 0


def checkpoints(root: Path) -> Iterator[tuple[int, Path]]:
    """Every checkpoint of a root, complete or not, by the step in its name."""
    for path in root.glob("step-*"):
        named = _NAME.fullmatch(path.name)
        if named:
            yield int(named[1]), path


def _load(path: Path) -> State:
    try:
        manifest = json.loads((path / _MANIFEST).read_bytes())
        if manifest["format"] != FORMAT:
            raise UnreadableError(f"it has format {manifest['format']}, and this version of RegCore reads {FORMAT}")
        for name in (_TENSORS, _STATE):
            if _describe(path / name)["sha256"] != manifest["files"][name]["sha256"]:
                raise UnreadableError(f"{name} is not what its manifest says")
        tree: State = _with_tensors(json.loads((path / _STATE).read_bytes()), load_file(path / _TENSORS))
        return tree
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise UnreadableError(f"{type(error).__name__}: {error}") from error


def _without_tensors(node: Any, tensors: list[torch.Tensor]) -> Any:
    """The tree with each tensor moved to the list and its number put in its place."""
    if isinstance(node, torch.Tensor):
        tensors.append(node)
        return {_TENSOR_KEY: len(tensors) - 1}
    if isinstance(node, Mapping):
        return {key: _without_tensors(value, tensors) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_without_tensors(value, tensors) for value in node]
    return node


def _with_tensors(node: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    if isinstance(node, dict):
        if node.keys() == {_TENSOR_KEY}:
            return tensors[str(node[_TENSOR_KEY])]
        return {key: _with_tensors(value, tensors) for key, value in node.items()}
    if isinstance(node, list):
        return [_with_tensors(value, tensors) for value in node]
    return node


def _save_tensors(tensors: list[torch.Tensor], path: Path) -> None:
    named: dict[str, torch.Tensor] = {}
    storages: set[int] = set()
    for number, tensor in enumerate(tensors):
        plain = tensor.detach().cpu().contiguous()
        storage = plain.untyped_storage().data_ptr()
        named[str(number)] = plain.clone() if storage in storages else plain  # safetensors refuses shared memory
        storages.add(storage)
    try:
        save_file(named, path)
    except SafetensorError as error:  # it reports success even if the system refused the write
        raise OSError(errno.EIO, str(error)) from error


def _describe(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"size_bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _delete_others(root: Path, step: int, keep_from: int) -> None:
    """Keep this checkpoint, the one before it in case this one is damaged, and all that lie between.

    Later ones are deleted too: the run skipped them as damaged, and they would outlive the good ones.
    """
    found = sorted(checkpoints(root))
    earlier = [(at, path) for at, path in found if at < step][: 1 - NUM_KEPT]
    gone = [path for at, path in earlier if at < keep_from] + [path for at, path in found if at > step]
    for path in (*gone, *root.glob(f"{_TEMPORARY_PREFIX}*")):
        shutil.rmtree(path, ignore_errors=True)


def _force_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
