"""Sweeps: many jobs from one spec, and which member is which.

Lives here: the sweep's spec, its expansion to job specs, and which members of a halving continue. Pure functions of
JSON. Does not live here: the statistics of the results (`regcore.study.statistics`), and what trains or stores.
"""

from regcore.study.sweep.candidate import Candidate
from regcore.study.sweep.contenders import CONSTANT, LINEAR, NOTHING, Suggestion
from regcore.study.sweep.direction import stronger_end
from regcore.study.sweep.expand import FULL, WITHOUT, expand
from regcore.study.sweep.fewer import fewer_than_asked
from regcore.study.sweep.follow_up import suggest_next
from regcore.study.sweep.halving import Rungs, decide, rungs_of, turns
from regcore.study.sweep.plan import PlannedMember, SweepPlan, plan_sweep
from regcore.study.sweep.spec import SweepSpec, parse_sweep
from regcore.study.sweep.suggest import suggest_sweep

__all__ = [
    "CONSTANT",
    "FULL",
    "LINEAR",
    "NOTHING",
    "WITHOUT",
    "Candidate",
    "PlannedMember",
    "Rungs",
    "Suggestion",
    "SweepPlan",
    "SweepSpec",
    "decide",
    "expand",
    "fewer_than_asked",
    "parse_sweep",
    "plan_sweep",
    "rungs_of",
    "stronger_end",
    "suggest_next",
    "suggest_sweep",
    "turns",
]
