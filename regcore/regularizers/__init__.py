"""Regularizers: one file each. To add one, add its file: the registry, the job spec's union, the JSON schema, the
catalogue and the docs page all derive from what is found here.

Lives here: a regularizer's fields, formula, source and effect. Does not live here: the
step that calls it (`regcore.loop`).
"""

from regcore.kinds import import_modules
from regcore.regularizers.base import (
    JobRef,
    PenaltyStrengths,
    Regularizer,
    Select,
    SelectingRegularizer,
    Surroundings,
    WeightRegularizer,
)
from regcore.regularizers.effect import Effect, EpochChoice, Setting

import_modules(__name__)

__all__ = [
    "Effect",
    "EpochChoice",
    "JobRef",
    "PenaltyStrengths",
    "Regularizer",
    "Select",
    "SelectingRegularizer",
    "Setting",
    "Surroundings",
    "WeightRegularizer",
]
