"""The layers of a model, completed, and after the surgery of regularizers."""

from collections import Counter
from collections.abc import Sequence
from functools import partial

from regcore.errors import shortened
from regcore.layers import Layer, complete, label_layers, output_of
from regcore.plan.problems import Problems
from regcore.shapes import RowInfo
from regcore.spec.job import JobSpec
from regcore.spec.kinds import TASKS


def expand(spec: JobSpec, row: RowInfo, num_outputs: int, problems: Problems) -> list[Layer]:
    """The layers of a resolved spec's model, completed, after every regularizer's surgery; none if they do not fit."""

    def completed() -> Sequence[Layer]:
        layers = complete(spec.model.expand(row), row, num_outputs)
        given = output_of(layers, row)
        if given.varies or given.shape not in TASKS[spec.task.kind].output_shapes(row, num_outputs):
            raise ValueError(
                f"the model must end in {num_outputs} output(s) for this task; it ends in shape {given.shape}. "
                "End with a linear layer without features"
            )
        return layers

    nothing: Sequence[Layer] = ()
    layers = problems.attempt("/model", "invalid_model", completed, nothing)
    if layers:
        for position, regularizer in enumerate(spec.regularizers):
            surgery = partial(regularizer.rewrite, layers)
            layers = problems.attempt(f"/regularizers/{position}", "matches_nothing", surgery, layers)
    doubled = _doubled(layers)
    if doubled:
        # Only now, so that the layers of regularizers are labelled too.
        message = f"layer names must differ; received {shortened(', '.join(doubled), 200)} twice. Rename one."
        problems.add("/model", "invalid_model", message)
    return list(layers)


def _doubled(layers: Sequence[Layer], *, inside: bool = False) -> list[str]:
    """The labels that two layers of one list share."""
    counts = Counter(label_layers(layers, inside=inside))
    below = [label for layer in layers for label in _doubled(layer.children(), inside=True)]
    return sorted([label for label, count in counts.items() if count > 1] + below)
