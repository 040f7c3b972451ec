"""What the worker tells the child that reads a file, and where the child leaves its answer."""

import json
import os
from dataclasses import asdict, dataclass
from typing import Literal

from worker.datasets.confinement import Confinement

TABLE = "table.parquet"
ANSWER = "answer.json"
"""Written last: ``{"facts", "preview"}`` beside the table, or ``{"reason"}``."""
EXIT_DISK_FULL = os.EX_CANTCREAT

Header = Literal["auto", "yes", "no"]


@dataclass(frozen=True)
class Request:
    """What to read.

    Attributes:
        path: The file.
        name: What its owner calls it.
        format: Its media type, as far as the uploader said one.
        header: Whether the first row of a CSV file holds names.
        confinement: The limits of the process.
        parent_pid: The worker.
    """

    path: str
    name: str
    format: str | None
    header: Header
    confinement: Confinement
    parent_pid: int

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Request":
        """The request that `to_json` wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "confinement": Confinement(**fields["confinement"])})
