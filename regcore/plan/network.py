"""The layers of a model, completed, and after the surgery of regularizers."""

from collections import Counter
from collections.abc import Sequence
from functools import partial

from regcore.errors import shortened
from regcore.layers import Layer, LayerMisfit, complete, label_layers, output_of, walk_all
from regcore.plan.problems import Problems
from regcore.regularizers import Regularizer
from regcore.shapes import RowInfo
from regcore.spec.job import JobSpec
from regcore.spec.kinds import TASKS


def expand(spec: JobSpec, row: RowInfo, num_outputs: int, problems: Problems) -> list[Layer]:
    """The layers of a resolved spec's model, completed, after every regularizer's surgery; none if they do not fit."""

    def completed() -> Sequence[Layer]:
        layers = complete(spec.model.expand(row), row, num_outputs)
        _refuse_more_than(layers)
        given = output_of(layers, row)
        if given.varies or given.shape not in TASKS[spec.task.kind].output_shapes(row, num_outputs):
            remedy = "End with a linear layer without features"
            if layers and layers[0].is_whole:
                remedy = "Give its last layer so many"
            raise ValueError(
                f"the model must end in {num_outputs} output(s) for this task; it ends in shape {given.shape}. {remedy}"
            )
        return layers

    layers: Sequence[Layer] = ()
    try:
        layers = completed()
    except ValueError as error:
        problems.add(_pointer_of(spec, error), "invalid_model", str(error))
    if layers:
        for position, regularizer in enumerate(spec.regularizers):
            surgery = partial(_operated, layers, regularizer, row)
            layers = problems.attempt(f"/regularizers/{position}", "matches_nothing", surgery, layers)
    doubled = _doubled(layers)
    if doubled:
        # Only now, so that the layers of regularizers are labelled too.
        message = f"layer names must differ; received {shortened(', '.join(doubled), 200)} twice. Rename one."
        problems.add("/model", "invalid_model", message)
    return list(layers)


def _pointer_of(spec: JobSpec, error: ValueError) -> str:
    """The place of the layer that does not fit, as the user wrote it; of a short form, or of no layer, the model."""
    pointer, written = "/model", spec.model.written_layers
    for position in error.path if isinstance(error, LayerMisfit) else ():
        if not written:
            break
        pointer, written = f"{pointer}/layers/{position}", written[position].children()
    return pointer


def _refuse_more_than(layers: Sequence[Layer], *, inside: bool = False) -> None:
    """Refuse other layers beside one that is a model of its own."""
    for layer in layers:
        if layer.is_whole and (inside or len(layers) > 1):
            raise ValueError(
                f"{layer.kind} is a whole model, from the rows to the outputs, and must be the only layer. Remove the "
                "other layers, or write all of it as layers"
            )
        _refuse_more_than(layer.children(), inside=True)


def _operated(layers: Sequence[Layer], regularizer: Regularizer, row: RowInfo) -> Sequence[Layer]:
    """The layers after a regularizer's surgery. Raises ValueError if they do not fit each other any more."""
    if layers[0].is_whole and type(regularizer).rewrite is not Regularizer.rewrite:
        raise ValueError(
            f"{regularizer.kind} inserts layers, and {layers[0].kind} is opaque: it takes none. Leave "
            f"{regularizer.kind} out, or write the model as layers"
        )
    changed = regularizer.rewrite(layers)
    output_of(changed, row)
    return changed


def hold_batches_to(
    layers: Sequence[Layer], row: RowInfo, num_train_rows: int, batch_size: int, problems: Problems
) -> None:
    """Refuse batches with too few rows for a layer, such as a last one of a single row under batch normalization."""
    needed = {label or layer.kind: layer.least_rows(seen) for label, layer, seen in walk_all(layers, row)}
    label = max(needed, key=needed.__getitem__, default="")
    last = num_train_rows % batch_size or batch_size
    if not needed or needed[label] <= last:
        return
    near = (size for away in range(num_train_rows) for size in (batch_size + away, batch_size - away))
    closest = next(
        (s for s in near if 1 <= s <= num_train_rows and (num_train_rows % s or s) >= needed[label]),
        None,
    )
    remedy = "Give it more rows to train on" if closest is None else f"Take {closest}"
    problems.add(
        "/training/batch_size",
        "batch_too_small",
        f"{label} needs at least {needed[label]} rows in every batch; of {num_train_rows} train rows in batches of "
        f"{batch_size} the last one has {last}. {remedy}.",
    )


def _doubled(layers: Sequence[Layer], *, inside: bool = False) -> list[str]:
    """The labels that two layers of one list share."""
    counts = Counter(label_layers(layers, inside=inside))
    below = [label for layer in layers for label in _doubled(layer.children(), inside=True)]
    return sorted([label for label, count in counts.items() if count > 1] + below)
