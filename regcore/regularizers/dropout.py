"""Dropout, by surgery: layers are inserted into the model.

Source: Srivastava et al. 2014, Dropout: a simple way to prevent neural networks from overfitting.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field

from regcore.doubts import Doubt, RunShape
from regcore.layers import Activation, AnyLayer, label_layers
from regcore.layers import Dropout as DropoutLayer
from regcore.regularizers.base import Regularizer, Stronger


class Dropout(Regularizer):
    """Zeroes activations at random while training."""

    summary: ClassVar[str] = "Zeroes each selected activation with probability p while training, and rescales the rest."
    formula: ClassVar[str] = "h ← h · m/(1 − p),  m ~ Bernoulli(1 − p)"
    source: ClassVar[str] = "Srivastava et al. 2014"
    example: ClassVar[dict[str, Any]] = {"kind": "dropout", "p": 0.2}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"p"})
    stronger: ClassVar[Stronger] = {"p": "larger"}

    kind: Literal["dropout"] = "dropout"
    p: float = Field(ge=0, lt=1)
    """Probability that a value is dropped."""
    where: Literal["hidden", "input"] | list[str] = "hidden"
    """`hidden`: after every activation; `input`: before the first layer; or after each of the named layers."""

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        yield from DropoutLayer(p=self.p).doubts(run)

    def rewrite(self, layers: list[AnyLayer]) -> list[AnyLayer]:
        layer = DropoutLayer(p=self.p)
        if self.where == "input":
            return [layer, *layers]
        labels = label_layers(layers)
        chosen = [
            isinstance(existing, Activation) if self.where == "hidden" else label in self.where
            for existing, label in zip(layers, labels, strict=True)
        ]
        missing = [] if isinstance(self.where, str) else [name for name in self.where if name not in labels]
        if missing or not any(chosen):
            what = ", ".join(missing) or "no hidden activation"
            raise ValueError(
                f"where must name a place that the model has: hidden, input or layers of {', '.join(labels)}; "
                f'received {self.where!r}, which finds {"no " if missing else ""}{what}. Use where="input", or a model '
                "with a hidden layer"
            )
        rewritten: list[AnyLayer] = []
        for existing, here in zip(layers, chosen, strict=True):
            rewritten += [existing, layer] if here else [existing]
        return rewritten
