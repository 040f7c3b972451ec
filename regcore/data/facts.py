"""The facts of a job's data: all that a plan must know of them, with no row read and neither torch nor NumPy."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from regcore.data.catalogue import BUILTIN, TORCHVISION, DatasetInfo
from regcore.data.features import AnyFeatures
from regcore.data.split import SplitSizes, group_split_sizes
from regcore.data.tables.facts import Modality
from regcore.doubts import Doubt
from regcore.errors import FieldError, SpecError
from regcore.shapes import RowInfo


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What a plan must know of the data of one spec.

    Attributes:
        name: What messages call the data: `wine`, `rows.csv`.
        modality: `image` rows are (channels, height, width) in [0, 1]; `table` rows are (places,); `text` rows are
            (steps,) of tokens; `audio` rows are (steps, bands); `sequence` rows are either of these.
        feature_shape: Shape of one row as the network gets it.
        classes: Labels of the target's classes, in the order of the outputs; None if it has numbers, or
            the spec asks for no target.
        num_rows: Rows to split: those with a target if there is one, and only those of an official train split.
        num_test_rows: Rows of an official test split, or of one that was handed in; None if test rows are drawn.
        row_counts: Rows of each split where fractions do not decide it: a split column, groups, or splits handed in.
            None where fractions do.
        doubts: What is unlikely to be meant, as far as the facts tell; pointers are into the spec.
        tokens: Size of the vocabulary of integer rows; None for rows of numbers.
        varies: Whether rows are sequences that may use less than `feature_shape[0]` steps.
        features: The spec's `data.features` with every default filled in; None for known sets.
    """

    name: str
    modality: Modality | Literal["sequence"]
    feature_shape: tuple[int, ...]
    classes: tuple[str, ...] | None
    num_rows: int
    num_test_rows: int | None = None
    row_counts: SplitSizes | None = None
    doubts: tuple[Doubt, ...] = ()
    tokens: int | None = None
    varies: bool = False
    features: AnyFeatures | None = None

    @property
    def row(self) -> RowInfo:
        """One row as the network gets it."""
        return RowInfo(self.feature_shape, self.tokens, self.varies)


class _Spec(Protocol):
    @property
    def data(self) -> Any: ...
    @property
    def task(self) -> Any: ...


class FactsOf(Protocol):
    """Finds the facts of a spec's data: in a constant table, in a database, in a file, or in arrays."""

    def __call__(self, spec: _Spec, /) -> DataFacts:
        """The facts.

        Raises:
            SpecError: There are no such data, or they do not fit the spec. Pointers are into the spec.
        """
        ...


def known_facts(spec: _Spec) -> DataFacts:
    """The facts of built-in and torchvision sets, from a constant table.

    Raises:
        SpecError: The data are of another kind, so that they must be read first.
    """
    data = spec.data
    if data.kind in ("builtin", "torchvision"):
        return _of_known(BUILTIN[data.name] if data.kind == "builtin" else TORCHVISION[data.name], data)
    raise SpecError([FieldError("/data/kind", "unknown_data", _HOW_TO_READ[data.kind])])


_HOW_TO_READ = {
    "file": "data.kind file is read where the file lies, not by the api: call regcore.train(spec), or let "
    "`regcore submit` or client.datasets.upload(path) upload it, and submit data.kind dataset with its id.",
    "dataset": "data.kind dataset is held by a server: submit this spec to it with `regcore submit`.",
    "arrays": "data.kind arrays is what is handed to regcore.train(spec, x, y): call it with arrays, or upload a table "
    "with client.datasets.upload(frame), and submit data.kind dataset with its id.",
}


def _of_known(info: DatasetInfo, data: Any) -> DataFacts:
    return DataFacts(
        name=info.name,
        modality=info.kind,
        feature_shape=info.feature_shape,
        classes=info.classes,
        num_rows=info.num_rows,
        num_test_rows=info.num_test_rows,
        row_counts=None if info.group_sizes is None else group_split_sizes(info.group_sizes, data),
        varies=info.varies,
        tokens=info.tokens,
    )
