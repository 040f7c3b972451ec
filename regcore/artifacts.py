"""The files that a finished run leaves behind; equal runs leave equal bytes, so hashes can be compared."""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from safetensors.numpy import save as save_arrays
from safetensors.torch import save
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter
from torch import nn

from regcore.data.prepared import PreparedData
from regcore.pictures.confusion_matrix import confusion_picture
from regcore.record import metrics_csv

MODEL_FORMAT: Final = 1
MAX_CSV_ROWS: Final = 100_000
"""The most rows of `reconstruction_errors.csv`."""
EVENT_FILE: Final = "regcore/events.out.tfevents.0.regcore"
# The earliest time that the zip format can hold: it has no "no time".
_ZIP_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


class _Plan(Protocol):
    def public(self) -> dict[str, Any]: ...
    @property
    def resolved_spec(self) -> Any: ...


class FinishedRun(Protocol):
    """The parts of a result that `write_artifacts` needs."""

    @property
    def plan(self) -> _Plan: ...
    @property
    def model(self) -> nn.Module: ...
    @property
    def data(self) -> PreparedData: ...
    @property
    def history(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def report(self) -> Mapping[str, Any]: ...
    @property
    def rows(self) -> dict[str, NDArray[Any]]: ...


def write_artifacts(result: FinishedRun, directory: Path) -> list[Path]:
    """Write every artifact of a finished run except its log and exports; returns their paths."""
    weights = weights_bytes(result.model.state_dict())
    contents = {
        "model.safetensors": weights,
        "model.json": _json_bytes(model_description(result, sha256=hashlib.sha256(weights).hexdigest())),
        "metrics.csv": metrics_csv(result.history).encode(),
        "report.json": _json_bytes(result.report),
        "rows.safetensors": save_arrays(dict(sorted(result.rows.items()))),
        "tensorboard.zip": tensorboard_zip(result.history),
        **_of_the_task(result),
    }
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, content in contents.items():
        path = directory / name
        path.write_bytes(content)
        paths.append(path)
    return paths


def _of_the_task(result: FinishedRun) -> dict[str, bytes]:
    """What only some tasks have: a classification's picture, and a reconstruction's errors by row."""
    found = {}
    picture = confusion_picture(result.report)
    if picture is not None:
        found["confusion_matrix.svg"] = picture.encode()
    errors = {
        name.partition("/")[0]: rows for name, rows in result.rows.items() if name.endswith("/reconstruction_error")
    }
    if errors:
        found["reconstruction_errors.csv"] = errors_csv(errors, result.data.row_numbers(), result.data.files)
    return found


def errors_csv(
    errors: Mapping[str, NDArray[Any]],
    numbers: Mapping[str, NDArray[np.int64] | None],
    files: pa.ChunkedArray | None = None,
) -> bytes:
    """`split,row,reconstruction_error`, and `file` where rows are files.

    Each row of each split in its order, or of very many rows those with the largest errors.

    Args:
        errors: By split, (N,).
        numbers: By split, the number of each row, from 1; None for its place in the split.
        files: The path of the file that each row of the data is; None if rows are no files.
    """
    own = {name: numbers[name] for name in errors}
    rows = [np.arange(1, len(errors[name]) + 1) if known is None else known for name, known in own.items()]
    values = np.concatenate(list(errors.values()))
    kept = np.sort(np.argsort(-values, kind="stable")[:MAX_CSV_ROWS])
    splits = np.repeat(list(errors), [len(found) for found in errors.values()])[kept]
    places = np.concatenate(rows)[kept]
    columns = {"split": splits.tolist(), "row": places.tolist(), "reconstruction_error": values[kept].astype(str)}
    if files is not None and all(known is not None for known in own.values()):
        columns["file"] = files.take(pa.array(places - 1)).to_pylist()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue().encode()


def weights_bytes(state: Mapping[str, torch.Tensor]) -> bytes:
    """The file `model.safetensors`: names sorted, no metadata, no timestamps. Tied tensors are in it by each name."""
    tensors: dict[str, torch.Tensor] = {}
    storages: set[int] = set()
    for name in sorted(state):
        plain = state[name].detach().cpu().contiguous()
        storage = plain.untyped_storage().data_ptr()
        tensors[name] = plain.clone() if storage in storages else plain  # safetensors refuses shared memory
        storages.add(storage)
    return save(tensors)


def weights_sha256(state: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of the file `model.safetensors`."""
    return hashlib.sha256(weights_bytes(state)).hexdigest()


def model_description(result: FinishedRun, *, sha256: str) -> dict[str, Any]:
    """The file `model.json`: all that is needed to rebuild the module and use it on raw rows."""
    plan = result.plan.public()
    classes, scaling = result.data.classes, result.data.target_scaling
    labels = {} if result.data.label_type is None else {"label_type": result.data.label_type}
    return {
        "format": MODEL_FORMAT,
        "task": plan["task"],
        "loss": plan["loss"],
        "precision": result.plan.resolved_spec.training.precision,
        "input_shape": list(plan["input_shape"]),
        "tokens": plan["tokens"],
        "varies": plan["varies"],
        "layers": plan["layers"],
        "preprocessing": result.data.preprocessing.to_json(),
        "outputs": {"size": plan["num_outputs"], "classes": None if classes is None else list(classes), **labels},
        "target_scaling": None if scaling is None else asdict(scaling),
        "weights": {"file": "model.safetensors", "sha256": sha256},
    }


def _json_bytes(body: Mapping[str, Any]) -> bytes:
    return (json.dumps(body, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def tensorboard_zip(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Metrics as one TensorBoard event file in a zip.

    TensorBoard's own SummaryWriter puts host, process and the present time into the file. Written through its record
    writer, the bytes depend only on the rows.
    """
    events = io.BytesIO()
    # Read before the record writer closes the buffer.
    writer = RecordWriter(events)
    rows = list(rows)
    started_at = float(rows[0]["at"]) if rows else 0.0
    writer.write(Event(wall_time=started_at, file_version="brain.Event:2").SerializeToString())
    for row in rows:
        values = [
            Summary.Value(tag=name, simple_value=value) for name, value in row["values"].items() if value is not None
        ]
        event = Event(wall_time=float(row["at"]), step=row["step"], summary=Summary(value=values))
        writer.write(event.SerializeToString())
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        entry = zipfile.ZipInfo(EVENT_FILE, _ZIP_EPOCH)
        entry.compress_type = zipfile.ZIP_DEFLATED
        zipped.writestr(entry, events.getvalue())
    return archive.getvalue()
