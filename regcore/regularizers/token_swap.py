"""Random swaps of tokens: some pairs of a text's tokens change places.

A text of l tokens has α·l swaps, on average, of pairs that share no token, wherever in the text they are. Which tokens
there are, and how many, stays as it is.

Source: Wei & Zou 2019, EDA: easy data augmentation techniques, random swap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.at import At
from regcore.regularizers.augmentation import PLACES_RANK, in_use, not_tokens, spread
from regcore.regularizers.base import Regularizer, Stronger, Surroundings
from regcore.regularizers.effect import Effect, Setting

if TYPE_CHECKING:
    from regcore.data.rows import Batch


class TokenSwap(Regularizer):
    """x_s ↔ x_t."""

    summary: ClassVar[str] = "While training, some pairs of a text's tokens change places."
    formula: ClassVar[str] = (
        "n pairs of places s, t, all different: x_s ↔ x_t;  n = ⌊α·l + u⌋,  u ~ U(0, 1), l the length"
    )
    source: ClassVar[str] = "Wei & Zou 2019"
    example: ClassVar[dict[str, Any]] = {"kind": "token_swap", "alpha": 0.1}
    example_data: ClassVar[dict[str, Any]] = {"kind": "builtin", "name": "tiny-text"}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"alpha"})
    twice: ClassVar[str | None] = "Two of them swap more tokens than either says."
    stronger: ClassVar[Stronger] = {"alpha": "larger"}

    kind: Literal["token_swap"] = "token_swap"
    alpha: float = Field(default=0.1, ge=0, le=0.5)
    """α, swaps for each token of a text; at 0.5 every token changes its place."""

    def needs(self, job: Surroundings) -> str | None:
        return not_tokens(self.kind, job.row)

    @classmethod
    def bind(cls, members: Sequence[TokenSwap], setting: Setting) -> Effect:
        return _TokenSwapEffect(members, setting)


class _TokenSwapEffect(Effect):
    members: Sequence[TokenSwap]
    ranks: ClassVar[Mapping[str, int]] = {"on_batch": PLACES_RANK}

    def on_batch(self, batch: Batch, at: At) -> Batch:
        import torch

        x = spread(batch.x, len(self.members))
        num_rows, num_steps = x.shape[1:]
        drawn = at.uniform((num_rows, num_steps + 1), x, self.setting.name)
        keys, luck = drawn[..., 1:], drawn[..., 0]
        lengths = torch.full_like(luck, num_steps)
        used = in_use(batch)
        if used is not None:
            lengths = used.sum(2).to(luck.dtype).expand_as(luck)
            keys = keys.where(used, 2.0)  # behind all others
        num_swaps = (lengths * luck.new_tensor(self.each("alpha")).unsqueeze(1) + luck).floor()
        num_swaps = num_swaps.minimum((lengths / 2).floor())
        order = keys.argsort(2)  # the places of a row in a random order: each pair of neighbours in it may swap
        places = torch.arange(num_steps, dtype=torch.int64, device=x.device)
        partners = (places + 1 - 2 * (places % 2)).clamp_(max=num_steps - 1)
        swapped = torch.where(places < 2 * num_swaps.unsqueeze(2), order.index_select(2, partners), order)
        return batch.having(x=torch.empty_like(order).scatter_(2, order, x.gather(2, swapped)))
