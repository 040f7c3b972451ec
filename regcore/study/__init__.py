"""Studies of regularization: sweeps of many jobs, and the statistics of what they found.

    sweep/         a sweep's spec, its members, halving, suggestions
    statistics/    means over seeds, paths, comparisons, ablations

Pure functions of specs and metrics. Does not live here: anything that trains, stores or knows of the loop.
"""

from typing import Literal

Verdict = Literal["helps", "hurts", "no_measurable_effect"]
"""On a difference between groups of jobs."""
