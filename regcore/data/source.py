"""Where the rows of a run come from: their facts for the plan, and their tensors for the training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from regcore.data.facts import DataFacts, known_facts
from regcore.data.prepare import PreparedData, RunSpec, prepare


class Source(Protocol):
    """Rows that a run trains on.

    `facts` is a `FactsOf`, so that `make_plan(spec, facts_of=source.facts)` plans for exactly the rows that `prepare`
    gives.
    """

    def facts(self, spec: Any, /) -> DataFacts:
        """What a plan must know. Raises SpecError if the spec does not fit the data."""
        ...

    def prepare(self, spec: RunSpec, *, device: torch.device | str = "cpu") -> PreparedData:
        """The splits of a resolved spec, as they are fed to the model. Raises InvalidDataError."""
        ...


@dataclass(frozen=True)
class KnownSource:
    """Built-in and torchvision sets.

    Attributes:
        data_dir: The folder of torchvision's sets; None for the environment's, else Debian's.
    """

    data_dir: Path | None = None

    def facts(self, spec: Any, /) -> DataFacts:
        """From a constant table."""
        return known_facts(spec)

    def prepare(self, spec: RunSpec, *, device: torch.device | str = "cpu") -> PreparedData:
        """Load, split, scale."""
        return prepare(spec, self.data_dir, device=device)


class Sources:
    """The sources of many specs, each opened once.

    Args:
        data_dir: The folder of torchvision's sets; None for the environment's, else Debian's.
    """

    def __init__(self, data_dir: Path | str | None = None) -> None:
        self._known = KnownSource(Path(data_dir) if data_dir else None)

    def of(self, data: Any) -> Source:
        """The rows of a spec's `data`."""
        return self._known

    def facts(self, spec: Any, /) -> DataFacts:
        """The facts of a spec's data, for `make_plan`."""
        return self.of(spec.data).facts(spec)
