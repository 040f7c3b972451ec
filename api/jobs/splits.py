"""The rows on which a job was measured, from its spec and plan."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from jobs.model import Job

if TYPE_CHECKING:
    from regcore.study.statistics import Resplits

_SCALING: Final = {"standardize", "standardize_target", "features", "exclude"}
_DRAWING: Final = {"split_seed", "test_fraction", "validation_fraction"}
_IRRELEVANT: Final = {
    "test": {*_SCALING, "train_limit", "validation_fraction"},
    "validation": {*_SCALING, "train_limit"},
}
"""Fields of `data` that do not affect a split's rows: test rows are chosen first, train rows last."""


def rows_id(job: Job, metric: str) -> str:
    """Equal for metrics of the same rows in the same order; a metric of no single split includes the train rows."""
    data, split = job.resolved_spec["data"], metric.partition("/")[0]
    irrelevant = _IRRELEVANT.get(split, _SCALING)
    if not _draws_splits(data):
        irrelevant = irrelevant | _DRAWING
    elif split == "test" and not _draws_test(data):
        irrelevant = irrelevant | {"split_seed"}
    chosen = {name: value for name, value in data.items() if name not in irrelevant}
    return hashlib.sha256(json.dumps([chosen, metric], sort_keys=True).encode()).hexdigest()


def resplits_of(job: Job) -> "Resplits | None":
    """The sizes of the splits that such a job draws with each split seed; None if a column of its data holds them."""
    if not _draws_splits(job.resolved_spec["data"]):
        return None
    from regcore.study.statistics import Resplits  # imports NumPy

    rows = job.plan["num_rows"]
    return Resplits(rows["train"], rows["validation"], rows["test"], draws_test=_draws_test(job.resolved_spec["data"]))


def resplit_ratio(groups: Sequence[Sequence[Job]], metric: str) -> float | None:
    """See `Resplits.ratio`; None unless every member of every group with several members draws its own splits."""
    several = [[job.resolved_spec["data"]["split_seed"] for job in group] for group in groups if len(group) > 1]
    if not several or any(len(set(seeds)) < len(seeds) for seeds in several):
        return None
    drawn = [resplits_of(job) for group in groups for job in group]
    ratios = [None if one is None else one.ratio(metric) for one in drawn]
    known = [ratio for ratio in ratios if ratio is not None]
    return max(known) if len(known) == len(ratios) else None


def _draws_splits(data: Mapping[str, Any]) -> bool:
    """Whether rows are drawn for the splits, instead of a column saying where each belongs."""
    return data.get("split_column") is None


def _draws_test(data: Mapping[str, Any]) -> bool:
    """Whether the test rows are drawn, instead of the data set's official ones."""
    return data.get("test_fraction") is not None
