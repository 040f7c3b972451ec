"""What a training pass is begun with: its members, and the folder where it is saved."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from regcore.checkpoint import LoadedCheckpoint, load_newest
from regcore.own_state import own_state
from regcore.plan import Plan
from regcore.record import Record


@dataclass(frozen=True)
class Newcomer:
    """A member as it joins a training pass.

    Attributes:
        key: Its name in the pass's reports.
        plan: The plan that it trains.
        on_record: Called with its progress, metrics, checkpoints and warnings.
        inputs: The models that it needs, by their names in `plan.inputs`: each a `model.safetensors` with its
            `model.json` beside it.
        data_dir: The operator's folder, for pretrained weights; None for the environment's.
    """

    key: str
    plan: Plan
    on_record: Callable[[Record], None] = field(default=lambda record: None)
    inputs: Mapping[str, Path] = field(default_factory=dict)
    data_dir: Path | None = None


@dataclass
class Checkpoints:
    """Where a pass saves itself, and from where it resumes.

    Attributes:
        root: The directory; the pass resumes from the newest complete checkpoint in it.
        max_bytes: The most that the checkpoints may take; None for no limit.
    """

    root: Path
    max_bytes: int | None = None
    newest: LoadedCheckpoint = field(init=False)

    @own_state()
    def __post_init__(self) -> None:
        self.newest = load_newest(self.root)

    @property
    def saved_keys(self) -> list[str] | None:
        """The members of the checkpoint to resume from; None if there is none."""
        return None if self.newest.state is None else list(self.newest.state["trainer"].get("keys", []))

    def forget(self) -> None:
        """Free the loaded state: a resumed run must not need more memory than an uninterrupted one."""
        self.newest = LoadedCheckpoint(self.newest.step, None, [])
