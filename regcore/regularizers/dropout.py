"""Dropout, by surgery: layers are inserted into the model.

Source: Srivastava et al. 2014, Dropout: a simple way to prevent neural networks from overfitting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from regcore.doubts import Doubt, RunShape
from regcore.layers import Dropout as DropoutLayer
from regcore.layers import Layer, label_layers, rewritten
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
    """`hidden`: after every activation and every recurrent layer; `input`: before the first layer; or after each of the
    named layers."""

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        yield from DropoutLayer(p=self.p).doubts(run)

    def rewrite(self, layers: Sequence[Layer]) -> Sequence[Layer]:
        layer = DropoutLayer(p=self.p)
        if self.where == "input":
            return [layer, *layers]
        places: list[str] = []
        found: list[str] = []

        def insert(some: Sequence[Layer], prefix: str) -> Sequence[Layer]:
            changed: list[Layer] = []
            for own_label, existing in zip(label_layers(some, inside=bool(prefix)), some, strict=True):
                label = prefix + own_label
                places.append(label)
                is_chosen = existing.gives_hidden_units if self.where == "hidden" else label in self.where
                found.extend([label] if is_chosen else [])
                changed += [existing, layer] if is_chosen else [existing]
            return changed

        changed = rewritten(layers, insert)
        missing = [] if isinstance(self.where, str) else [name for name in self.where if name not in places]
        if missing or not found:
            what = ", ".join(missing) or "no hidden units"
            raise ValueError(
                f"where must name a place that the model has: hidden, input or layers of {', '.join(places)}; "
                f'received {self.where!r}, which finds {"no " if missing else ""}{what}. Use where="input", or a model '
                "with a hidden layer"
            )
        return changed
