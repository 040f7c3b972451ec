"""A trained model for raw rows, from its artifacts: it repeats what the run's evaluation did."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import TypeAdapter
from safetensors.torch import load
from torch import nn

from regcore.data.load import ImageDtype, scale_images
from regcore.data.preprocessing import Preprocessing, TargetScaling
from regcore.errors import InvalidDataError
from regcore.layers import AnyLayer, build_module
from regcore.own_state import own_state

_ROWS_AT_ONCE: Final = 4096
_LAYERS: Final[TypeAdapter[list[AnyLayer]]] = TypeAdapter(list[AnyLayer])


class Predictor:
    """A module with its preprocessing and the meaning of its outputs.

    Attributes:
        model: In evaluation mode; takes preprocessed rows.
        preprocessing: From raw rows to preprocessed ones.
        task: `classification` or `regression`.
        classes: Class names in label order, as strings; None for regression.
        target_scaling: The scaling of targets in training, which every answer reverses; None if they were not scaled.
    """

    def __init__(
        self,
        model: nn.Module,
        preprocessing: Preprocessing,
        *,
        task: str,
        classes: Sequence[str] | None,
        target_scaling: TargetScaling | None = None,
        autocast: bool = False,
    ) -> None:
        self.model = model.eval()
        self.preprocessing = preprocessing
        self.task = task
        self._autocast = autocast
        self.classes = None if classes is None else tuple(classes)
        self.target_scaling = target_scaling

    @own_state()
    def predict(self, raw_rows: Any) -> NDArray[Any]:
        """Class labels (int64) for classification, values in the target's own unit for regression.

        Args:
            raw_rows: A table as rows of numbers, or a list of dicts (or a data frame) by column name; images
                as (N, H, W), (N, C, H, W) or flat, with raw pixels: 0–255 for all sets but `digits` (0–16).

        Returns:
            (N,); `classes[label]` names a label.

        Raises:
            InvalidDataError: Rows of another shape, missing or unknown columns, values that are not finite.
        """
        if self.task == "classification":
            labels: NDArray[Any] = self.predict_proba(raw_rows).argmax(axis=1)
            return labels
        values = self._outputs(raw_rows).squeeze(1).numpy()
        return values if self.target_scaling is None else self.target_scaling.undone(values)

    @own_state()
    def predict_proba(self, raw_rows: Any) -> NDArray[Any]:
        """Probability of each class, (N, classes).

        Raises:
            InvalidDataError: As `predict`, or the model is not a classifier.
        """
        if self.task != "classification":
            raise InvalidDataError(
                f"predict_proba needs a classifier; this model's task is {self.task}",
                remedy="Use predict().",
            )
        outputs = self._outputs(raw_rows)
        if outputs.shape[1] == 1:
            positive = outputs.sigmoid()
            outputs = torch.cat([1 - positive, positive], dim=1)
        else:
            outputs = outputs.softmax(dim=1)
        return outputs.numpy()

    def _outputs(self, raw_rows: Any) -> torch.Tensor:
        parameter = next(self.model.parameters())
        image_dtype: ImageDtype = np.float64 if parameter.dtype == torch.float64 else np.float32
        x = torch.from_numpy(np.ascontiguousarray(prepare_rows(raw_rows, self.preprocessing, image_dtype)))
        # A bfloat16 run evaluates in bfloat16 too; only the same arithmetic gives the same answers.
        precision = torch.autocast(parameter.device.type, dtype=torch.bfloat16, enabled=self._autocast)
        with torch.inference_mode(), precision:
            blocks = [
                self.model(block.to(device=parameter.device, dtype=parameter.dtype))
                for block in torch.split(x, _ROWS_AT_ONCE)
            ]
        # In double precision, as in the run's evaluation: a small positive logit must not round to a tie.
        return torch.cat(blocks).cpu().double()


@own_state()
def load_predictor(artifact_dir: str | Path, *, device: torch.device | str = "cpu") -> Predictor:
    """Rebuild a trained model from `model.json` and `model.safetensors`.

    Raises:
        InvalidDataError: A file is missing or is not what it should be.
    """
    folder = Path(artifact_dir)
    return read_predictor(lambda name: (folder / name).read_bytes(), str(folder), device=device)


def read_predictor(read: Callable[[str], bytes], where: str, *, device: torch.device | str = "cpu") -> Predictor:
    """Rebuild a trained model from the content of its files.

    Args:
        read: Returns a file's content by its name, or raises OSError or KeyError.
        where: The source of the files, for errors.
        device: The model's device.

    Raises:
        InvalidDataError: A file is missing or is not what it should be.
    """
    try:
        described = json.loads(read("model.json"))
        weights = read(described["weights"]["file"])
        if hashlib.sha256(weights).hexdigest() != described["weights"]["sha256"]:
            raise ValueError("the SHA-256 of the weights is not the one in model.json")
        state = load(weights)
    except (OSError, ValueError, KeyError) as error:
        raise InvalidDataError(
            f"Cannot load a model from {where}: {error}",
            remedy="Give the folder that holds a run's model.json and model.safetensors.",
        ) from error
    with torch.device("meta"):  # otherwise initial weights would be drawn from the caller's generator
        module = build_module(_LAYERS.validate_python(described["layers"]), tuple(described["input_shape"]))
    module.load_state_dict(state, assign=True)
    scaling = described.get("target_scaling")  # older models have none
    return Predictor(
        module.to(device),
        Preprocessing.from_json(described["preprocessing"]),
        task=described["task"],
        classes=described["outputs"]["classes"],
        target_scaling=None if scaling is None else TargetScaling(**scaling),
        autocast=described["precision"] == "bfloat16",
    )


def prepare_rows(raw_rows: Any, preprocessing: Preprocessing, image_dtype: ImageDtype) -> NDArray[Any]:
    """Preprocess raw rows, (N, *feature_shape); pixels are scaled in `image_dtype`, as in training."""
    rows: NDArray[Any] = _table(raw_rows, preprocessing.columns) if preprocessing.kind == "table" else _array(raw_rows)
    shape = preprocessing.feature_shape
    fits = rows.shape[1:] in {shape, (int(np.prod(shape)),)} or (shape[0] == 1 and rows.shape[1:] == shape[1:])
    if rows.ndim < 2 or not fits:
        raise InvalidDataError(
            f"Expected rows of shape {('N', *shape)}; received an array of shape {rows.shape}".replace("'N'", "N"),
            remedy="Give a batch of rows, also where it is a single one.",
        )
    if not np.isfinite(rows).all():
        raise InvalidDataError(
            "Rows must be finite numbers; received NaN or infinity", remedy="Fill or drop missing values."
        )
    rows = rows.reshape(-1, *shape)
    if preprocessing.image_maximum is not None:
        rows = scale_images(rows, preprocessing.image_maximum, image_dtype)
    return preprocessing.standardize(rows)


def _array(raw_rows: ArrayLike) -> NDArray[np.float64]:
    try:
        return np.asarray(raw_rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidDataError(
            f"Rows must be an array of numbers of equal length: {error}",
            remedy="Give a list of rows, or a NumPy array.",
        ) from error


def _table(raw_rows: Any, columns: tuple[str, ...] | None) -> NDArray[np.float64]:
    if columns is None:
        return _array(raw_rows)
    if hasattr(raw_rows, "to_dict") and hasattr(raw_rows, "columns"):
        # A data frame, with its columns in any order.
        raw_rows = raw_rows.to_dict("records")
    if isinstance(raw_rows, Mapping):
        raise InvalidDataError("Expected a list of rows; received one dict", remedy="Give [row].")
    if isinstance(raw_rows, Sequence) and len(raw_rows) and isinstance(raw_rows[0], Mapping):
        raw_rows = [_row_in_order(row, columns, number) for number, row in enumerate(raw_rows)]
    return _array(raw_rows)


def _row_in_order(row: Any, columns: tuple[str, ...], number: int) -> list[Any]:
    named = row if isinstance(row, Mapping) else {}
    missing = [name for name in columns if name not in named]
    unknown = [str(name) for name in named if name not in columns]
    if missing or unknown:
        raise InvalidDataError(
            f"Row {number} must have the columns {', '.join(columns)}; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}",
            remedy="Name each column as in model.json.",
            details={"row": number, "missing": missing, "unknown": unknown},
        )
    return [named[name] for name in columns]
