"""Linear and logistic regression."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from regcore.layers import Layer, Linear
from regcore.models.base import Model
from regcore.shapes import RowInfo


class LinearModel(Model):
    """One linear layer: linear or logistic regression."""

    summary: ClassVar[str] = "One linear layer: linear, logistic or softmax regression, by the loss."
    formula: ClassVar[str] = "f(x) = Wx + b"
    source: ClassVar[str] = "Hastie, Tibshirani & Friedman 2009, The Elements of Statistical Learning, ch. 3–4"
    example: ClassVar[dict[str, Any]] = {"kind": "linear"}

    kind: Literal["linear"] = "linear"
    bias: bool = True
    """Whether an intercept is learned."""

    def expand(self, row: RowInfo) -> Sequence[Layer]:
        return [Linear(bias=self.bias)]
