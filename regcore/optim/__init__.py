"""Optimizers: one file each, its spec fields and its update of stacked weights.

Lives here: turning a gradient into a step. Does not live here: anything that shrinks weights by design, which is a
regularizer. The one exception is `adamw`, because its paper's name includes the decay.
"""

from typing import Annotated

from pydantic import Field

from regcore.optim.adam import Adam, AdamW
from regcore.optim.base import Optimizer, Update
from regcore.optim.rmsprop import RMSprop
from regcore.optim.sgd import SGD

OPTIMIZERS: tuple[type[Optimizer], ...] = (SGD, Adam, AdamW, RMSprop)
AnyOptimizer = Annotated[SGD | Adam | AdamW | RMSprop, Field(discriminator="kind")]

__all__ = ["OPTIMIZERS", "SGD", "Adam", "AdamW", "AnyOptimizer", "Optimizer", "RMSprop", "Update"]
