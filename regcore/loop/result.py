"""The result of a finished run."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import nn

from regcore.data.prepared import PreparedData
from regcore.own_state import own_state
from regcore.plan import Plan
from regcore.predict import Predictor
from regcore.spec.data import AnyData, ArraysData, BuiltinData, DatasetData, FileData, TorchvisionData
from regcore.spec.kinds import TASKS

_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """A trained model, and everything known about it.

    Attributes:
        plan: What was trained.
        data: The splits as they were fed to the model: `data.train.x`, `data.test.y`.
        model: Plain torch module with the selected weights, in evaluation mode, on the CPU.
        history: One dict per evaluation: `seq epoch step at values non_finite`.
        metrics: Of the selected weights: `train/loss`, `validation/loss`, `test/loss`, `test/accuracy`, …
        selected_epoch: The epoch whose weights were kept.
        generalization_gap: test/loss − train/loss; None without a test split.
        sparsity: Share of exact zeros over tensors of two or more dimensions.
        norms: `l1` and `l2` over the same tensors.
        kkt_residual: Largest violation of the optimality conditions; None unless the problem is convex.
        l1_max: Smallest ℓ₁ strength that leaves no weights; None unless the problem is convex, with an ℓ₁ penalty on
            all weights and no penalty on the intercept.
        weights_sha256: Of the file `model.safetensors`.
        is_exact: Whether an uninterrupted run gives the same bits; false if it was resumed with another version of
            torch or on another kind of machine.
        fused_with: Keys of the other members of its training pass.
        rows: What each row adds to a metric, (N,): losses, absolute errors and parts of R² in float32, whether it is
            right as bool: `train/loss`, `test/accuracy` or `test/mae` and `test/r2`, ….
        report: Intervals, zeros, norms and curves.
    """

    plan: Plan
    data: PreparedData
    model: nn.Module
    history: list[dict[str, Any]]
    metrics: dict[str, float | None]
    selected_epoch: int
    generalization_gap: float | None
    sparsity: float
    norms: dict[str, float | None]
    kkt_residual: float | None
    l1_max: float | None
    weights_sha256: str
    is_exact: bool
    fused_with: list[str]
    rows: dict[str, NDArray[Any]]
    report: dict[str, Any]

    def __repr__(self) -> str:
        """Ten lines: what was trained, on what, how well, and what can be done with it."""
        spec = self.plan.resolved_spec
        data, regularizers = spec.data, [planned.kind for planned in self.plan.regularizers]
        title = f"Result: {self.plan.task} with {spec.model.kind}, {self.plan.num_parameters:,} parameters"
        splits = ((name, getattr(self.data, name)) for name in _SPLITS)
        scores = [name for name in TASKS[self.plan.task].headlines if f"train/{name}" in self.metrics][:1]
        lines = {
            "data": f"{_name_of(data)}: "
            + ", ".join(f"{len(split):,} {name}" for name, split in splits if split is not None),
            "regularizers": ", ".join(regularizers) or "none",
            "epochs": f"{self.history[-1]['epoch']:,}; the weights are those of epoch {self.selected_epoch:,}",
            "loss": self._by_split("loss"),
            **{score: self._by_split(score) for score in scores},
            "gap": f"{_short(self.generalization_gap)}  (test loss - train loss)",
            "sparsity": f"{_short(self.sparsity)}  (share of exact zeros)",
            "weights": f"SHA-256 {self.weights_sha256}",
            "next": ".predict(rows)  .metrics  .report  .history  .model  .save(directory)",
        }
        width = 1 + max(map(len, lines))
        return "\n".join([title, *(f"  {name:<{width}} {said}" for name, said in lines.items())])

    def _by_split(self, name: str) -> str:
        known = ((split, f"{split}/{name}") for split in _SPLITS)
        return "   ".join(f"{split} {_short(self.metrics[key])}" for split, key in known if key in self.metrics)

    def predictor(self) -> Predictor:
        """The model for raw rows, as `load_predictor` reads it from the files of `save`. Its `notes` say what the last
        rows held that training never saw, those of `predict` too."""
        return self._predictor

    @cached_property
    def _predictor(self) -> Predictor:
        return Predictor(
            self.model,
            self.data.preprocessing,
            task=self.plan.task,
            loss=self.plan.loss,
            classes=self.data.classes,
            label_type=self.data.label_type,
            target_scaling=self.data.target_scaling,
            autocast=self.plan.resolved_spec.training.precision == "bfloat16",
        )

    def predict(self, raw_rows: Any) -> NDArray[Any]:
        """Labels, values in the target's own unit, or reconstructed rows: `Predictor.predict`.

        Args:
            raw_rows: As they were given to training, not `data.test.x`: a data frame, a list of dicts, arrays, or a
                file's path; images with raw pixels.

        Returns:
            (N,), or (N, *row) for a reconstruction. Labels of own data are as they were given; those of built-in sets
            are numbers, and `data.classes[label]` names one.

        Raises:
            InvalidDataError: Rows of another shape, or missing columns.
        """
        return self.predictor().predict(raw_rows)

    def predict_proba(self, raw_rows: Any) -> NDArray[Any]:
        """Probability of each class, (N, classes), in the order of `data.classes`: `Predictor.predict_proba`."""
        return self.predictor().predict_proba(raw_rows)

    def summary(self) -> dict[str, Any]:
        """The job's `result`."""
        return {
            "metrics": self.metrics,
            "selected_epoch": self.selected_epoch,
            "generalization_gap": self.generalization_gap,
            "sparsity": self.sparsity,
            "norms": self.norms,
            "kkt_residual": self.kkt_residual,
            "l1_max": self.l1_max,
            "num_parameters": self.plan.num_parameters,
            "weights_sha256": self.weights_sha256,
            "exact": self.is_exact,
            "fused_with": self.fused_with,
        }

    @own_state()
    def save(self, directory: Path | str) -> None:
        """Write every artifact into a directory, which is made if necessary."""
        from regcore.artifacts import write_artifacts

        write_artifacts(self, Path(directory))


def _name_of(data: AnyData) -> str:
    match data:
        case BuiltinData() | TorchvisionData():
            return data.name
        case FileData():
            return Path(data.path).name
        case DatasetData():
            return data.id
        case ArraysData():
            return "arrays"


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
