"""Linear and logistic regression."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from regcore.layers import Layer, Linear
from regcore.models.base import Model
from regcore.models.first_layers import EMBEDDING, as_vector
from regcore.shapes import RowInfo


class LinearModel(Model):
    """One linear layer: linear or logistic regression.

    Of text it sees the mean of the tokens' vectors, each of 64 numbers, which are learned with it.
    """

    summary: ClassVar[str] = "One linear layer: linear, logistic or softmax regression, by the loss."
    formula: ClassVar[str] = "f(x) = Wx + b"
    source: ClassVar[str] = "Hastie, Tibshirani & Friedman 2009, The Elements of Statistical Learning, ch. 3–4"
    example: ClassVar[dict[str, Any]] = {"kind": "linear"}

    kind: Literal["linear"] = "linear"
    bias: bool = True
    """Whether an intercept is learned."""

    def expand(self, row: RowInfo) -> Sequence[Layer]:
        return [*as_vector(row, EMBEDDING), Linear(bias=self.bias)]
