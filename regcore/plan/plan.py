"""What a plan holds."""

import math
from collections.abc import Sequence
from typing import Any, Final

from pydantic import Field

from regcore.data.placement import Placement, row_bytes
from regcore.frozen import Immutable
from regcore.layers import tensors_of, walk_all
from regcore.plan.fusion import asked_bytes, fusion_key, member_bytes
from regcore.plan.lint import SpecWarning
from regcore.shapes import Role, RowInfo, TensorInfo
from regcore.spec.inputs import inputs_of
from regcore.spec.job import JobSpec
from regcore.spec.kinds import TASKS, AnyLayer

MAX_ROWS_ON_DEVICE_BYTES: Final = 2**30
"""The most that the rows of a run take on its device; more of them stay in the host's memory, and batches move."""
PRODUCTS_OF_A_VALUE: Final = 64
"""How many multiplications of a matrix product take as long as a value that a layer gives, all told: it is written and
read, forward and backward. Fitted to steps of 25 networks of five kinds, which it foretells within a third."""


class ParameterInfo(Immutable):
    """One learned tensor of the model, without a member axis."""

    name: str
    shape: tuple[int, ...]
    num_elements: int
    role: Role = "weight"
    """What it is for: `weight embedding bias norm`. By default regularizers act on weights."""


class RowCounts(Immutable):
    """Rows in each split."""

    train: int
    validation: int
    test: int


class RegularizerPlan(Immutable):
    """The targets of one regularizer."""

    name: str
    """Its kind, with an ordinal from the second of a kind on: `l1`, `l1_2`. Used in `objective/penalty.{name}`."""
    kind: str
    parameters: list[str]
    note: str


class Plan(Immutable):
    """A spec that can be trained, with everything that follows from it."""

    resolved_spec: JobSpec
    warnings: list[SpecWarning]
    layers: list[AnyLayer]
    """The model's expansion, after surgery."""
    layer_names: list[str]
    """Of `layers`; a layer inside one has a path below its name."""
    parameters: list[ParameterInfo]
    num_parameters: int
    num_rows: RowCounts
    input_shape: tuple[int, ...]
    tokens: int | None = None
    """Size of the vocabulary of integer rows; null for rows of numbers."""
    varies: bool = False
    """Whether rows are sequences of varying length."""
    num_outputs: int
    classes: list[str] | None
    task: str
    loss: str
    batch_size: int = Field(description="Rows in a batch; a step sees `grad_accumulation` of them.")
    steps_per_epoch: int
    num_steps: int
    num_epochs: int
    regularizers: list[RegularizerPlan]
    trained_first: dict[str, "Plan"] = Field(
        default={}, description="Models that are trained before it begins, by the regularizer's name and its field."
    )
    runs_alone: str | None = Field(
        default=None, description="Why it shares no training pass with other jobs; null if it may share one."
    )
    plugins: list[str] = Field(default=[], description="Installed packages whose kinds it needs.")
    rows_in: Placement = "memory"
    """`disk`: the rows are larger than what may lie in memory. They are written to files once, and read in blocks."""

    @property
    def inputs(self) -> dict[str, str]:
        """The jobs whose weights it needs: `init_from`, and by the regularizer's name and its field."""
        return {one.name: one.job_id for one in inputs_of(self.resolved_spec)}

    @property
    def row(self) -> RowInfo:
        """One row as the network gets it."""
        return RowInfo(self.input_shape, self.tokens, self.varies)

    def tensors(self) -> list[TensorInfo]:
        """Every tensor of the model, buffers too."""
        return tensors_of(self.layers, self.row)

    def layer_kinds(self) -> dict[str, str]:
        """The kind of every layer by its label, those inside others too."""
        return {label: layer.kind for label, layer, _ in walk_all(self.layers, self.row)}

    @property
    def frozen(self) -> frozenset[str]:
        """The tensors that are not trained, though they could be learned."""
        pairs = zip(self.resolved_spec.regularizers, self.regularizers, strict=True)
        return frozenset(name for regularizer, planned in pairs if regularizer.freezes for name in planned.parameters)

    @property
    def fusion_key(self) -> str | None:
        """Equal for jobs that may train in one pass; None if the job trains alone."""
        return fusion_key(self.resolved_spec)

    @property
    def rows_fit_device(self) -> bool:
        """Whether the rows of all splits may lie on the device as a whole: a constant decides, not what is free."""
        num_rows = self.num_rows.train + self.num_rows.validation + self.num_rows.test
        needed_bytes = num_rows * row_bytes(self.row, self.resolved_spec.training.precision)
        return self.rows_in == "memory" and needed_bytes <= MAX_ROWS_ON_DEVICE_BYTES

    @property
    def step_work(self) -> int:
        """Estimated time of a micro-batch of one member, as that of so many multiplications in a matrix product."""
        each = [
            layer.num_products(seen) + PRODUCTS_OF_A_VALUE * layer.num_values(seen)
            for _, layer, seen in walk_all(self.layers, self.row)
        ]
        return self.batch_size * sum(each)

    @property
    def member_bytes(self) -> int:
        """Estimated memory as one more member of a training pass; a model of another job is not known here."""
        tensors = self.tensors()
        return member_bytes(
            num_parameters=_num_elements(tensors),
            num_extra=sum(regularizer.num_extra(tensors) for regularizer in self.resolved_spec.regularizers),
            widths=self._widths(),
            batch_size=self.batch_size,
            num_rows=self.num_rows.train + self.num_rows.validation + self.num_rows.test,
            num_kept=TASKS[self.task].num_kept(self.num_outputs),
            itemsize=self._itemsize,
            asked_bytes=sum(
                asked_bytes(
                    num_parameters=_num_elements(first.tensors()),
                    widths=first._widths(),
                    batch_size=self.batch_size,
                    itemsize=self._itemsize,
                )
                for first in self.trained_first.values()
            ),
        )

    @property
    def _itemsize(self) -> int:
        """Bytes of one weight."""
        return 8 if self.resolved_spec.training.precision == "float64" else 4

    def _widths(self) -> list[int]:
        """Values in one row, as it comes and at each layer's output."""
        return [
            math.prod(self.input_shape),
            *(layer.num_values(seen) for _, layer, seen in walk_all(self.layers, self.row)),
        ]

    def public(self) -> dict[str, Any]:
        """The job's `plan`, without what the job shows elsewhere."""
        return self.model_dump(mode="json", exclude={"resolved_spec", "warnings", "trained_first"})


def _num_elements(tensors: Sequence[TensorInfo]) -> int:
    return sum(tensor.num_elements for tensor in tensors)
