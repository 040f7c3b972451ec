"""The plan: everything that follows from a spec before training. The api makes it to accept or refuse a job, and the
engine trains it; it needs no torch.

    make.py           `make_plan`: from a spec and the facts of its data to a plan, or to every place that is wrong
    plan.py           what a plan holds
    network.py        the model's layers, completed and after surgery
    objective.py      the task, its loss and class weights
    regularizers.py   what each regularizer acts on
    ceilings.py       a server's limits
    lint.py           warnings about what is unlikely to be meant
    ranges.py         schedules that leave a field's range
    fusion.py         which jobs may train in one pass

No kind of layer, model, regularizer, optimizer or task is named here: each says itself what a plan must know of it.
"""

from regcore.plan.ceilings import Ceilings
from regcore.plan.lint import SpecWarning
from regcore.plan.make import Check, make_plan
from regcore.plan.plan import ParameterInfo, Plan, RegularizerPlan, RowCounts

__all__ = [
    "Ceilings",
    "Check",
    "ParameterInfo",
    "Plan",
    "RegularizerPlan",
    "RowCounts",
    "SpecWarning",
    "make_plan",
]
