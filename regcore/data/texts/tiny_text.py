"""The inputs of the built-in set `tiny-text`, whose facts are known without opening it."""

from typing import Final

from regcore.data.features import TextFeatures
from regcore.data.media_facts import TextFacts
from regcore.data.texts.inputs import TextInputs

TINY_TEXT_INPUTS: Final = TextInputs(
    TextFacts(num_words=6076, num_lowercase_words=5988, num_characters=42_287, max_words=34, max_bytes=215),
    TextFeatures(column="text"),
)
