"""Evaluating a network on a split: evaluation mode, no augmentation, no penalty, true labels.

Rows come in chunks. Of each row its loss is kept, and what its task keeps of it; whole outputs are not.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import Tensor

from regcore.at import At
from regcore.data.prepared import Split
from regcore.data.rows import Batch, Rows, chunks
from regcore.layers.forward import Node
from regcore.loop.network import EVAL_CHUNK_ROWS, StackedNetwork
from regcore.tasks import Task
from regcore.tasks.scores.split import SplitEvaluation

OnActivation = Callable[[str, Tensor, Tensor | None], None]
"""Called with the label of a layer with tensors, the output of the non-linearity after it, (K, B, ...), and how many
steps of each row are in use, (K, B) or (1, B), if rows vary."""

MAX_CHUNK_VALUES: Final = 2**25
"""The most numbers of all members that a layer gives for a chunk: wide layers get fewer rows at once."""
_EVALUATING: Final = At(0, 1, 1, training=False)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One split, all members, in the units in which metrics are reported.

    Attributes:
        losses: Per row, (K, N), float64.
        columns: What the task keeps of each row, by name: (K, N, ...), or (1, N, ...) if it is the same for all.
    """

    losses: Tensor
    columns: dict[str, Tensor]


def evaluate(
    network: StackedNetwork,
    rows: Rows,
    task: Task,
    on_activation: OnActivation | None = None,
    *,
    is_final: bool = False,
) -> Evaluation:
    """Evaluate every row of a split once.

    Args:
        network: The network, during or after training.
        rows: The split as it is fed to the network.
        task: What outputs mean.
        on_activation: Called with activations; None for no call.
        is_final: Whether members are to be looked at one by one, by `member_evaluation`.
    """
    watched = _fed(network.nodes) if on_activation is not None else {}
    at = replace(_EVALUATING, seeds=network.seeds)

    def outputs_of(batch: Batch) -> Tensor:
        given, way = network.forward(network.tensors, batch.x, at, batch.lengths, frozenset(watched))
        for label, activations in way.outputs.items():
            assert on_activation is not None, "nothing is watched otherwise"
            on_activation(watched[label], activations, way.output_lengths.get(label))
        return given

    order = _by_length(rows) if network.cuts_rows else None
    batches = chunks(rows, chunk_rows(network), network.device, order)
    return collect(batches, len(rows), task, outputs_of, is_final=is_final, order=order)


def _by_length(rows: Rows) -> Tensor | None:
    """The rows' numbers by their lengths, so that rows of like length are together; None where these are not at hand.

    Rows are evaluated each by itself, and the order has no meaning here.
    """
    lengths = rows.lengths if isinstance(rows, Split) else None
    return None if lengths is None else lengths.argsort(stable=True)


@torch.no_grad()
def collect(
    batches: Iterator[Batch],
    num_rows: int,
    task: Task,
    outputs_of: Callable[[Batch], Tensor],
    *,
    is_final: bool = False,
    order: Tensor | None = None,
) -> Evaluation:
    """Keep of each chunk what is to be known of its rows.

    Args:
        batches: The rows of a split.
        num_rows: How many they are together.
        task: What outputs mean.
        outputs_of: Gives the outputs for a chunk, (K, B, ...).
        is_final: As in `evaluate`.
        order: The numbers of the rows as they come, (N,); None if they come in their own order.
    """
    kept: dict[str, Tensor] = {}
    begin = 0
    for batch in map(task.targets, batches):
        outputs = outputs_of(batch)
        losses = task.reported_losses(task.row_losses(outputs, batch.y).double())
        end = begin + losses.shape[1]
        for name, column in {"": losses, **task.columns(outputs, batch.y, is_final=is_final)}.items():
            if name not in kept:
                kept[name] = column.new_empty(len(column), num_rows, *column.shape[2:])
            kept[name][:, begin:end] = column
        begin = end
    if order is not None:
        places = order.argsort()
        kept = {name: column[:, places] for name, column in kept.items()}
    return Evaluation(kept.pop(""), kept)


def chunk_rows(network: StackedNetwork) -> int:
    """Rows of a chunk: fewer for more members and for wider layers, so that the memory is bounded.

    It depends on the shapes alone, because the number of rows of a matrix product decides its last bits.
    """
    widest = max([network.row.num_values, *_widths(network.nodes)])
    return max(1, min(EVAL_CHUNK_ROWS, MAX_CHUNK_VALUES // widest) // network.num_members)


def _widths(nodes: Sequence[Node]) -> Iterator[int]:
    for node in nodes:
        yield node.gives.num_values
        yield from _widths(node.children)


def _fed(nodes: Sequence[Node]) -> dict[str, str]:
    """The layer with tensors before each non-linearity, by the non-linearity's label."""
    found: dict[str, str] = {}
    for node in nodes:
        found |= _fed(node.children)
        if node.fed_by is not None:
            found[node.label] = node.fed_by
    return found


def needs_all(task: Task, also: Sequence[Collection[str]] | None) -> bool:
    """Whether these metrics need members to be looked at one by one.

    Args:
        task: Says which metrics every record has.
        also: For each member the names of further metrics.
    """
    asked = {name for names in also or () for name in names}
    return any(name in asked and not metric.in_every_record for name, metric in task.metrics.items())


def measure(
    evaluation: Evaluation, task: Task, also: Sequence[Collection[str]] | None = None
) -> list[dict[str, float]]:
    """The metrics of each member: those that every record has, see `Metric.in_every_record`.

    For 32 members and 10,000 rows of ten classes these take a quarter of the time of the outputs themselves. AUROC,
    which sorts, takes seven times as long as these outputs.

    Args:
        evaluation: Of one split; `is_final` if further metrics are asked for, see `needs_all`.
        task: What outputs mean.
        also: For each member the names of further metrics.
    """
    columns: dict[str, Tensor] = {"loss": evaluation.losses.mean(1), **task.measured(evaluation.columns)}
    table = [dict(zip(columns, row, strict=True)) for row in torch.stack(list(columns.values())).T.tolist()]
    for k, names in enumerate(also or ()):
        missing = [name for name in task.metrics if name in names and name not in columns]
        if missing:
            scores = member_evaluation(evaluation, task, k).scores_of(missing)
            table[k] |= {name: score.value for name, score in scores.items()}
    return table


def member_evaluation(evaluation: Evaluation, task: Task, member: int) -> SplitEvaluation:
    """One member's part of an evaluation with `is_final`, on the CPU."""
    losses: Any = evaluation.losses[member].cpu().numpy()
    return task.evaluation_of(losses, evaluation.columns, member)
