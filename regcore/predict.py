"""A trained model for raw rows, from its artifacts: it repeats what the run's evaluation did."""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from safetensors.torch import load
from torch import nn

from regcore.data.encoded import Preprocessing
from regcore.data.preprocessing import TargetScaling
from regcore.data.read_preprocessing import apply_preprocessing, read_preprocessing
from regcore.data.tables.labels import LabelType, as_labels
from regcore.errors import InvalidDataError
from regcore.layers import Layer, finished_module
from regcore.layers.own_module import OwnModule
from regcore.own_state import own_state
from regcore.scoring import RowScorer
from regcore.shapes import RowInfo
from regcore.spec.kinds import TASKS, AnyLayer
from regcore.tasks.classification import probabilities
from regcore.tasks.reconstruction import row_errors
from regcore.trees import copied

_log: Final = logging.getLogger(__name__)
_LAYERS: Final[TypeAdapter[list[AnyLayer]]] = TypeAdapter(list[AnyLayer])


class Predictor:
    """A module with its preprocessing and the meaning of its outputs.

    Attributes:
        model: In evaluation mode; takes preprocessed rows.
        preprocessing: From raw rows to preprocessed ones.
        task: The kind of the task, such as `classification`.
        classes: Class names in label order, as strings; None without classes.
        target_scaling: The scaling of targets in training, which every answer reverses; None if they were not scaled.
        notes: What the rows of the last call held that training did not: categories, gaps, columns. Each is logged too,
            once.
    """

    def __init__(
        self,
        model: nn.Module,
        preprocessing: Preprocessing,
        *,
        task: str,
        loss: str,
        classes: Sequence[str] | None,
        label_type: LabelType | None = None,
        target_scaling: TargetScaling | None = None,
        autocast: bool = False,
    ) -> None:
        self.model = model.eval()
        self.preprocessing = preprocessing
        self.task = task
        self.classes = None if classes is None else tuple(classes)
        self._task = TASKS[task](loss, len(self.classes or ()), target_scaling=target_scaling)
        self._autocast = autocast
        self._labels = None if self.classes is None or label_type is None else as_labels(self.classes, label_type)
        self.notes: list[str] = []
        self._said: set[str] = set()
        self.target_scaling = target_scaling

    @property
    def gives_rows(self) -> bool:
        """Whether it reconstructs rows, so that `reconstruction_error` says how far they are from those of training."""
        return self._task.gives_rows

    @own_state()
    def predict(self, raw_rows: Any) -> NDArray[Any]:
        """Labels of a classification, values in the target's own unit of a regression, or reconstructed rows.

        `notes` says what was unusual. A reconstructed row is what `model` is to give for a preprocessed one, of its
        shape and in its unit: pixels in [0, 1], standardized columns, and places of categories.

        Args:
            raw_rows: Of a table: a data frame, a list of dicts, a dict of columns, arrays or lists whose columns are in
                the order of training, or a file's path. Columns may come in another order, and there may be more of
                them. Images as (N, H, W), (N, C, H, W) or flat, with raw pixels: 0–255 for all sets but `digits`
                (0–16). Sequences as a list of rows, each a list of tokens or an array (its steps, features).

        Returns:
            (N,), or (N, *row) for a reconstruction, in the order of the rows. Labels of own data are as they were
            given: as spelled in a CSV file, or of the array's type. Those of built-in sets are numbers (int64), and
            `classes[label]` names one.

        Raises:
            InvalidDataError: Rows of another shape, or missing columns.
        """
        x, outputs = self._outputs(raw_rows)
        answers = self._task.answers(outputs, x)
        return answers if self._labels is None else self._labels[answers]

    @own_state()
    def predict_proba(self, raw_rows: Any) -> NDArray[Any]:
        """Probability of each class, (N, classes), in the order of `classes`.

        Raises:
            InvalidDataError: As `predict`, or the model is not a classifier.
        """
        if not self._task.has_classes:
            raise InvalidDataError(
                f"predict_proba needs a classifier; this model's task is {self.task}",
                remedy="Use predict().",
            )
        _, outputs = self._outputs(raw_rows)
        shares: NDArray[Any] = probabilities(outputs).numpy()
        return shares

    @own_state()
    def reconstruction_error(self, raw_rows: Any) -> NDArray[Any]:
        """The mean squared error of each reconstructed row, (N,), in the unit of preprocessed rows.

        Large for a row unlike those of training. Its mean over a split is the metric `reconstruction_error`.

        Raises:
            InvalidDataError: As `predict`, or the model does not reconstruct rows.
        """
        if not self._task.gives_rows:
            raise InvalidDataError(
                f"reconstruction_error needs a model that reconstructs rows; this model's task is {self.task}",
                remedy="Use predict().",
            )
        x, outputs = self._outputs(raw_rows)
        rows = torch.from_numpy(self._task.answers(outputs, x))
        errors: NDArray[Any] = row_errors(rows.unsqueeze(0), x.unsqueeze(0))[0].numpy()
        return errors

    def _outputs(self, raw_rows: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """The rows as the network sees them, and its outputs for them, on the CPU in double precision."""
        parameter = next(self.model.parameters())
        dtype = np.float64 if parameter.dtype == torch.float64 else np.float32
        rows = apply_preprocessing(self.preprocessing, raw_rows, dtype)
        self.notes = rows.notes
        for note in self.notes:
            if note not in self._said:
                _log.warning("predict: %s", note)
        self._said.update(self.notes)
        lengths = None if rows.lengths is None else torch.from_numpy(rows.lengths).to(parameter.device)
        x = torch.from_numpy(np.ascontiguousarray(rows.x)).to(parameter.device)
        # A bfloat16 run evaluates in bfloat16 too; only the same arithmetic gives the same answers.
        precision = torch.autocast(parameter.device.type, dtype=torch.bfloat16, enabled=self._autocast)
        with torch.inference_mode(), precision:
            outputs = RowScorer(self.model)(x, lengths)
        # In double precision, as in the run's evaluation: a small positive logit must not round to a tie.
        return x.cpu().double(), outputs.cpu().double()


@own_state()
def load_predictor(
    artifact_dir: str | Path, *, device: torch.device | str = "cpu", module: nn.Module | None = None
) -> Predictor:
    """Rebuild a trained model from `model.json` and `model.safetensors`.

    Args:
        artifact_dir: The folder with both.
        device: The model's device.
        module: For a model that was trained as a module of the user's own: such a module, as it was made for training.
            A copy of it gets the trained weights.

    Raises:
        InvalidDataError: A file is missing or is not what it should be, or the module is missing or is another.
    """
    folder = Path(artifact_dir)
    return read_predictor(lambda name: (folder / name).read_bytes(), str(folder), device=device, module=module)


def read_predictor(
    read: Callable[[str], bytes],
    where: str,
    *,
    device: torch.device | str = "cpu",
    module: nn.Module | None = None,
) -> Predictor:
    """Rebuild a trained model from the content of its files.

    Args:
        read: Returns a file's content by its name, or raises OSError or KeyError.
        where: The source of the files, for errors.
        device: The model's device.
        module: As in `load_predictor`.

    Raises:
        InvalidDataError: A file is missing or is not what it should be, or the module is missing or is another.
    """
    try:
        described = json.loads(read("model.json"))
        weights = read(described["weights"]["file"])
        if hashlib.sha256(weights).hexdigest() != described["weights"]["sha256"]:
            raise ValueError("the SHA-256 of the weights is not the one in model.json")
        state: Any = copied(load(weights), torch.device(device))
    except (OSError, ValueError, KeyError) as error:
        raise InvalidDataError(
            f"Cannot load a model from {where}: {error}",
            remedy="Give the folder that holds a run's model.json and model.safetensors.",
        ) from error
    if described["task"] not in TASKS:
        raise InvalidDataError(
            f"Cannot load a model from {where}: its task is {described['task']!r}, and this installation knows "
            f"{', '.join(TASKS)}",
            remedy="Install the package that offers this task.",
        )
    row = RowInfo(tuple(described["input_shape"]), described.get("tokens"), described.get("varies", False))
    layers = _with_own_module(_LAYERS.validate_python(described["layers"]), module, state, where)
    scaling = described.get("target_scaling")  # older models have none
    return Predictor(
        finished_module(layers, row, state),
        read_preprocessing(described["preprocessing"]),
        task=described["task"],
        loss=described["loss"],
        classes=described["outputs"]["classes"],
        label_type=described["outputs"].get("label_type"),
        target_scaling=None if scaling is None else TargetScaling(**scaling),
        autocast=described["precision"] == "bfloat16",
    )


def _with_own_module(
    layers: list[Layer], module: nn.Module | None, state: dict[str, torch.Tensor], where: str
) -> list[Layer]:
    """The layers, in which a module that was the user's own is this one; its tied tensors leave the state."""
    is_own = any(layer.brings_module for layer in layers)
    if is_own != (module is not None):
        said = "a module of the user's own was trained, which its files do not hold" if is_own else "it has layers"
        remedy = "Call load_predictor(folder, module=net), with net as it was made." if is_own else "Leave module out."
        raise InvalidDataError(f"Cannot load the model from {where} so: {said}", remedy=remedy)
    if module is None:
        return layers
    layer = OwnModule.of(module, tuple(layers[0].model_dump()["output_shape"]))
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if wanted != found:
        differing = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        raise InvalidDataError(
            f"the module is not the one that was trained: {', '.join(differing)} differ",
            remedy="Make it as it was made for training.",
        )
    names = {info.name for info in layer.tensors(RowInfo(()))}
    for name in state.keys() - names:
        del state[name]
    return [layer]
