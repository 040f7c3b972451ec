"""Optimizers: one file each, its spec fields and its update of stacked weights.

    base.py           what an optimizer is; a step by torch's own operations
    elementwise.py    what regularizers do to each weight in the same pass

To add one, add its file. Lives here: turning a gradient into a step. Does not live here: anything that shrinks weights
by design, which is a regularizer. The one exception is `adamw`, because its paper's name includes the decay.
"""

from regcore.kinds import import_modules
from regcore.optim.adam import Adam, AdamW
from regcore.optim.base import Optimizer, Update
from regcore.optim.elementwise import Elementwise
from regcore.optim.rmsprop import RMSprop
from regcore.optim.sgd import SGD

import_modules(__name__)

__all__ = ["SGD", "Adam", "AdamW", "Elementwise", "Optimizer", "RMSprop", "Update"]
