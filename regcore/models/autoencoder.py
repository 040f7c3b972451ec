"""Autoencoders."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from regcore.layers import Activation, Conv2d, Flatten, Layer, Linear, Reshape, TransposedConv2d
from regcore.models.base import MAX_LAYERS, Model
from regcore.shapes import RowInfo

Width = Annotated[int, Field(ge=1)]


class AutoencoderModel(Model):
    """An encoder to a few numbers, the layer `code`, and a decoder back to the row, which mirrors it; with ReLU.

    The code has no activation, so that it can be compared with principal components of as many numbers.
    """

    summary: ClassVar[str] = "An autoencoder: rows become a few numbers, the code, and rows again."
    formula: ClassVar[str] = "f(x) = decoder(z),  z = encoder(x), the outputs of the layer `code`"
    source: ClassVar[str] = (
        "Hinton & Salakhutdinov 2006, Reducing the dimensionality of data; convolutional: Masci et al. 2011"
    )
    example: ClassVar[dict[str, Any]] = {"kind": "autoencoder", "hidden": [32], "code": 8}
    task: ClassVar[str | None] = "reconstruction"
    deep_field: ClassVar[str] = "hidden"

    kind: Literal["autoencoder"] = "autoencoder"
    hidden: list[Width] = Field(default=[128], max_length=MAX_LAYERS)
    """Widths of the encoder's hidden layers, which the decoder has in reverse; channels of its convolutions if it is
    convolutional, each of which halves height and width."""
    code: int = Field(default=32, ge=1)
    """Numbers in the code."""
    convolutional: bool = False
    """Whether the hidden layers are convolutions of stride 2, and transposed ones in the decoder; for images."""

    def expand(self, row: RowInfo) -> Sequence[Layer]:
        return [*(self._convolutions(row) if self.convolutional else self._dense())]

    @property
    def num_written(self) -> int:
        return len(self.hidden)

    def _dense(self) -> Iterator[Layer]:
        yield Flatten()
        for features in self.hidden:
            yield from (Linear(features=features), Activation())
        yield Linear(features=self.code, name="code")
        for features in reversed(self.hidden):
            yield from (Linear(features=features), Activation())
        yield Linear()

    def _convolutions(self, row: RowInfo) -> Iterator[Layer]:
        if len(row.shape) != 3 or row.tokens is not None or not self.hidden:
            raise ValueError(
                f"a convolutional autoencoder expects (C, H, W), and hidden with the channels of its convolutions; it "
                f"gets {row.shape} from the rows, and hidden={self.hidden}"
            )
        seen, sides = row, []
        for channels in self.hidden:
            layer = Conv2d(channels=channels, kernel_size=3, stride=2, padding=1)
            sides.append(seen.shape)
            seen = layer.output(seen)
            yield from (layer, Activation())
        yield Flatten()
        yield Linear(features=self.code, name="code")
        yield from (Linear(features=seen.num_values), Activation(), Reshape(shape=[*seen.shape]))
        for number, (channels, height, width) in enumerate(reversed(sides), start=1):
            # Two sides become the same half of them: an even one needs a row, or column, more.
            more = [1 - height % 2, 1 - width % 2]
            yield TransposedConv2d(channels=channels, kernel_size=3, stride=2, padding=1, output_padding=more)
            if number < len(sides):
                yield Activation()
