"""Length, batches and randomness of a training."""

from typing import Annotated, Literal

from pydantic import Field

from regcore.frozen import Frozen
from regcore.schedule import MAX_EPOCHS


class Training(Frozen):
    """Length, batches and randomness of the training."""

    epochs: int = Field(default=10, ge=1, le=MAX_EPOCHS)
    """Passes over the train split."""
    batch_size: Annotated[int, Field(ge=1)] | Literal["full"] = 64
    """Rows in a batch, or `full` for the whole train split. The default is at most the train split."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Initial weights, order of rows and masks all follow from it."""
    precision: Literal["float32", "float64", "bfloat16"] = "float32"
    """`bfloat16`: matrix products and convolutions in bfloat16; weights, statistics and losses in float32."""
    grad_accumulation: int = Field(default=1, ge=1, le=10_000)
    """Batches whose gradients make one optimizer step, as one batch of all their rows would; but statistics of
    `batch_norm` are of each batch."""
    eval_every_epochs: int = Field(default=1, ge=1)
    """Epochs between evaluations; the last epoch is always evaluated."""
    checkpoint_every_s: float = Field(default=30, gt=0)
    """Seconds between checkpoints, for servers that take them."""
    compile: bool = False
    """Compile each step's forward and backward with torch.compile, which takes up to a minute; if that fails, as
    without a C++ compiler or with dropout, a warning says so and training continues without."""
