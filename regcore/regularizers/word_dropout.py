"""Word dropout: some words of a text become the unknown word.

Source: Iyyer et al. 2015, Deep unordered composition rivals syntactic methods for text classification; as in Bowman et
al. 2016, Generating sentences from a continuous space, with the unknown word in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from regcore.at import At
from regcore.regularizers.augmentation import MASKS_RANK, not_tokens
from regcore.regularizers.base import Regularizer, Stronger, Surroundings
from regcore.regularizers.effect import Effect, Setting

if TYPE_CHECKING:
    from regcore.data.rows import Batch

PADDING: Final = 0
UNKNOWN: Final = 1


class WordDropout(Regularizer):
    """x_t ← unknown."""

    summary: ClassVar[str] = "While training, replaces some tokens of a text by the unknown one."
    formula: ClassVar[str] = "x_t ← 1, the unknown token, with probability p; padding, 0, stays"
    source: ClassVar[str] = "Iyyer et al. 2015; Bowman et al. 2016"
    example: ClassVar[dict[str, Any]] = {"kind": "word_dropout", "p": 0.1}
    example_data: ClassVar[dict[str, Any]] = {"kind": "builtin", "name": "tiny-text"}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"p"})
    twice: ClassVar[str | None] = "Two of them drop more words than either says."
    stronger: ClassVar[Stronger] = {"p": "larger"}

    kind: Literal["word_dropout"] = "word_dropout"
    p: float = Field(ge=0, le=1)
    """How likely a token is replaced."""

    def needs(self, job: Surroundings) -> str | None:
        return not_tokens(self.kind, job.row)

    @classmethod
    def bind(cls, members: Sequence[WordDropout], setting: Setting) -> Effect:
        return _WordDropoutEffect(members, setting)


class _WordDropoutEffect(Effect):
    members: Sequence[WordDropout]
    ranks: ClassVar[Mapping[str, int]] = {"on_batch": MASKS_RANK}

    def on_batch(self, batch: Batch, at: At) -> Batch:
        x = batch.x
        is_dropped = at.chosen(self.each("p"), x.shape[1:], x, self.setting.name)
        return batch.having(x=x.masked_fill(is_dropped & (x != PADDING), UNKNOWN))
