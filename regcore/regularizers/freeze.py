"""Freezing: some of the tensors are not trained, as in transfer from a model of another task.

Source: Yosinski et al. 2014, How transferable are features in deep neural networks?
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from regcore.layers.depths import depths
from regcore.regularizers.base import Select, SelectingRegularizer
from regcore.shapes import TensorInfo


class Freeze(SelectingRegularizer):
    """θ stays θ₀.

    These tensors get no gradient and no state of the optimizer, so that a step is shorter, and no other regularizer
    acts on them. A batch normalization whose scale and offset are both frozen computes as when the model predicts, by
    its running mean and variance, and these stay too, as in Keras; dropout inside goes on.
    """

    summary: ClassVar[str] = "Does not train the selected tensors: they stay as they begin, to the bit."
    formula: ClassVar[str] = "θ ← θ₀ for each selected tensor; by default all but those of the output layer"
    source: ClassVar[str] = "Yosinski et al. 2014; batch normalization as in Keras, whose `trainable` is false"
    example: ClassVar[dict[str, Any]] = {"kind": "freeze", "select": {"include": ["linear1.*"]}}
    member_fields: ClassVar[frozenset[str] | None] = frozenset()
    freezes: ClassVar[bool] = True

    kind: Literal["freeze"] = "freeze"
    select: Select | None = None
    """Which tensors; null for all but those of the output layer, of whatever role."""

    def touched(self, tensors: Sequence[TensorInfo]) -> list[str]:
        if self.select is not None:
            return super().touched(tensors)
        found = depths(tensors)
        names = [tensor.name for tensor in tensors if found[tensor.name] > 0]
        if not names:
            raise ValueError(
                "freeze holds all but the output layer, and the model has no other. Name tensors by select, or leave "
                "freeze out"
            )
        return names

    def explain(self, touched: Sequence[str]) -> str:
        return f"{self.summary} No other regularizer acts on them: {', '.join(touched)}."
