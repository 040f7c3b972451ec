"""Statistics of finished jobs: means over seeds, paths over a strength, comparisons, ablations.

Pure functions from numbers to JSON. Nothing here trains, reads a store, knows HTTP or imports torch. NumPy is imported
at once, and `scipy.special` when a quantile is needed, so a server imports this package only on first use.
"""

from regcore.metrics import Mode
from regcore.study.statistics.ablation import ablate
from regcore.study.statistics.comparisons import compare
from regcore.study.statistics.directions import mode_of
from regcore.study.statistics.groups import Group, GroupMember
from regcore.study.statistics.leaderboard import Standing, rank
from regcore.study.statistics.paths import PathPoint, regularization_path
from regcore.study.statistics.resplits import Resplits
from regcore.study.statistics.rows import gap_rows
from regcore.study.statistics.summaries import mean_interval

__all__ = [
    "Group",
    "GroupMember",
    "Mode",
    "PathPoint",
    "Resplits",
    "Standing",
    "ablate",
    "compare",
    "gap_rows",
    "mean_interval",
    "mode_of",
    "rank",
    "regularization_path",
]
