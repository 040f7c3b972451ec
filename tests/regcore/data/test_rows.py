import hashlib

import torch

from regcore.data.prepared import Split
from regcore.data.rows import chunks

SPLIT = Split(torch.arange(20.0).view(10, 2), torch.arange(10), lengths=1 + torch.arange(10) % 2)


def test_chunks_are_all_rows_in_their_order() -> None:
    found = list(chunks(SPLIT, 4, torch.device("cpu")))

    assert [batch.x.shape for batch in found] == [(1, 4, 2), (1, 4, 2), (1, 2, 2)]
    assert torch.equal(torch.cat([batch.x[0] for batch in found]), SPLIT.x)
    assert torch.equal(torch.cat([batch.y[0] for batch in found]), SPLIT.y)


def test_rows_that_differ_in_one_number_differ_in_their_digest() -> None:
    def digest(**changes: torch.Tensor) -> str:
        parts = {"x": SPLIT.x, "y": SPLIT.y, "lengths": SPLIT.lengths} | changes
        found = hashlib.sha256()
        Split(**parts).identify(found)
        return found.hexdigest()

    others = {name: getattr(SPLIT, name).clone() for name in ("x", "y", "lengths")}
    for other in others.values():
        other[7] = 1 + (other[7] == 1)  # lengths are 1 or 2

    assert digest() == digest()
    assert len({digest(), *(digest(**{name: other}) for name, other in others.items())}) == 4
