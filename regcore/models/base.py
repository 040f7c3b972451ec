"""The base of models."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from regcore.frozen import Fusible
from regcore.layers import Layer
from regcore.shapes import RowInfo

MAX_LAYERS: Final = 10_000
"""More than any network has. The server's ceiling is far below; this one bounds the mistakes that a list may hold."""


class Model(Fusible):
    """A model's spec, which can be expanded to layers."""

    summary: ClassVar[str]
    formula: ClassVar[str]
    source: ClassVar[str]
    example: ClassVar[dict[str, Any]]
    example_data: ClassVar[dict[str, Any]] = {"kind": "builtin", "name": "digits"}
    """The data on which the example trains in seconds."""
    member_fields: ClassVar[frozenset[str] | None] = frozenset()

    only_in_python: ClassVar[bool] = False
    """Whether it needs what JSON cannot hold, so that no server takes it."""
    task: ClassVar[str | None] = None
    """The only task that it is for, which `task.kind` is by default; None for any."""
    deep_field: ClassVar[str | None] = None
    """The field that says how many hidden layers there are; None if it has none."""

    kind: str

    def expand(self, row: RowInfo) -> Sequence[Layer]:
        """The model's layers for such rows, the output layer last. Raises ValueError if they do not fit."""
        raise NotImplementedError

    @property
    def written_layers(self) -> Sequence[Layer]:
        """The layers that the user wrote, to which `/model/layers/…` points; none for a short form."""
        return ()

    @property
    def pretrained(self) -> str | None:
        """The file of weights that it begins with, which the operator has; None if it begins at random."""
        return None

    @property
    def signature(self) -> str | None:
        """A digest of what a run needs of it and its JSON does not hold; None if nothing."""
        return None

    @property
    def num_written(self) -> int:
        """The layers that expanding it makes, at least: a list of 300,000 widths is counted before it is expanded."""
        return 1
