"""Sweeps: many jobs from one spec, and which member is which.

Lives here: the sweep's spec, its expansion to job specs, and which members of a halving continue. Pure functions of
JSON. Does not live here: the statistics of the results (`regcore.statistics`), and anything that trains or stores.
"""

from regcore.sweep.candidate import Candidate
from regcore.sweep.contenders import CONSTANT, LINEAR, NOTHING, Suggestion
from regcore.sweep.direction import stronger_end
from regcore.sweep.expand import FULL, WITHOUT, expand
from regcore.sweep.fewer import fewer_than_asked
from regcore.sweep.follow_up import suggest_next
from regcore.sweep.halving import Rungs, decide, rungs_of, turns
from regcore.sweep.plan import PlannedMember, SweepPlan, plan_sweep
from regcore.sweep.spec import SweepSpec, parse_sweep
from regcore.sweep.suggest import suggest_sweep

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
