"""How rows reach the network: one kind for each modality of data."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from regcore.frozen import Frozen

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]

_Side = Annotated[int, Field(ge=1, le=1_024)]


class TableFeatures(Frozen):
    """How the columns of a table reach the network."""

    kind: Literal["table"] = "table"
    missing: Literal["mean", "median", "error"] = "mean"
    """What fills a gap in a number or a date: a statistic of the train split's other cells; or refuse gaps."""
    max_categories: int = Field(default=100, ge=1, le=10_000)
    """The most categories of a column with a place of their own; all others share one more, with those never seen."""


class ImageFeatures(Frozen):
    """How images reach the network: all of one size and with the same channels, in [0, 1]."""

    kind: Literal["image"] = "image"
    size: list[_Side] = Field(default=[32, 32], min_length=2, max_length=2)
    """Height and width in pixels."""
    channels: Literal[1, 3] = 3
    """1 for grey, 3 for red, green and blue."""


class TextFeatures(Frozen):
    """How text reaches the network: as tokens of a vocabulary that is learned from the train split."""

    kind: Literal["text"] = "text"
    column: ColumnName | None = None
    """The column that holds the text; null for the only one that does."""
    tokenizer: Literal["words", "bpe"] = "words"
    """Words and marks, or pieces of words by byte pair encoding."""
    vocabulary_size: int = Field(default=20_000, ge=16, le=1_000_000)
    """The most tokens, those for padding and for the unknown included."""
    max_tokens: int = Field(default=256, ge=1, le=8_192)
    """Longer texts are cut behind so many tokens."""
    lowercase: bool = True
    """Whether `The` and `the` are one word."""


class AudioFeatures(Frozen):
    """How sound reaches the network: as the logarithm of its energy by mel bands and time."""

    kind: Literal["audio"] = "audio"
    sample_rate: int = Field(default=16_000, ge=1_000, le=192_000)
    """In Hz; sound of another rate is resampled."""
    num_mels: int = Field(default=64, ge=1, le=512)
    """Bands on the mel scale."""
    window_s: float = Field(default=0.025, gt=0, le=1)
    """Length of the window of each step."""
    hop_s: float = Field(default=0.01, gt=0, le=1)
    """Time from step to step."""
    max_duration_s: float = Field(default=10, gt=0, le=600)
    """Longer sounds are cut."""


AnyFeatures = Annotated[TableFeatures | ImageFeatures | TextFeatures | AudioFeatures, Field(discriminator="kind")]
