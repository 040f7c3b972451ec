"""The jobs whose weights a job needs: to begin with, and for its regularizers."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from regcore.regularizers import Regularizer
from regcore.spec.job import JobSpec
from regcore.spec.kinds import REGULARIZERS

INIT_FROM: Final = "init_from"


@dataclass(frozen=True)
class Input:
    """One job whose weights another needs.

    Attributes:
        name: `init_from`, or the regularizer's name in the plan and its field: `knowledge_distillation.teacher`.
        pointer: JSON Pointer (RFC 6901) of the object in the spec that holds the `job_id`.
        job_id: The job that is needed.
        position: The regularizer's place in the spec; None for `init_from`.
    """

    name: str
    pointer: str
    job_id: str
    position: int | None = None

    @property
    def only_to_begin(self) -> bool:
        """Whether a run that goes on from a checkpoint can do without it."""
        return self.name == INIT_FROM


def inputs_of(spec: JobSpec) -> list[Input]:
    """The jobs that a spec names, in the order of its fields."""
    begun = [] if spec.init_from is None else [Input(INIT_FROM, f"/{INIT_FROM}", spec.init_from.job_id)]
    return [*_of_regularizers(spec.regularizers), *begun]


def inputs_in(body: Any) -> list[Input]:
    """The jobs that a spec as JSON names, valid or not: of a part that is wrong none."""
    fields = body if isinstance(body, Mapping) else {}
    source, listed = fields.get(INIT_FROM), fields.get("regularizers")
    job_id = source.get("job_id") if isinstance(source, Mapping) else None
    begun = [Input(INIT_FROM, f"/{INIT_FROM}", job_id)] if isinstance(job_id, str) else []
    return [*_of_regularizers(list(map(_read, listed)) if isinstance(listed, list) else []), *begun]


def names_of(kinds: Sequence[str]) -> list[str]:
    """The name of each regularizer in the plan: its kind, with an ordinal from the second of a kind on."""
    seen: Counter[str] = Counter()
    names = []
    for kind in kinds:
        seen[kind] += 1
        names.append(kind if seen[kind] == 1 else f"{kind}_{seen[kind]}")
    return names


def _of_regularizers(regularizers: Sequence[Regularizer | None]) -> Iterator[Input]:
    names = names_of(["" if regularizer is None else regularizer.kind for regularizer in regularizers])
    for position, (name, regularizer) in enumerate(zip(names, regularizers, strict=True)):
        for field, ref in (regularizer.inputs() if regularizer is not None else {}).items():
            yield Input(f"{name}.{field}", f"/regularizers/{position}/{field}", ref.job_id, position)


def _read(body: Any) -> Regularizer | None:
    kind = REGULARIZERS.get(str(body.get("kind"))) if isinstance(body, Mapping) else None
    try:
        return None if kind is None else kind.model_validate(body)
    except ValidationError:
        return None
