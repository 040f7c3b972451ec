import pytest
import torch
from effects import augmented

from regcore import make_plan
from regcore.data.rows import Batch
from regcore.errors import SpecError
from regcore.regularizers.word_dropout import WordDropout

LENGTHS = torch.tensor([[1, 4, 7] * 100])
IN_USE = torch.arange(7) < LENGTHS.unsqueeze(2)
BATCH = Batch(torch.randint(2, 12, IN_USE.shape) * IN_USE, torch.zeros_like(LENGTHS), LENGTHS)


def test_words_become_unknown_as_often_as_is_asked_and_padding_never_does():
    members = [WordDropout(p=p) for p in (0.0, 0.2, 1.0)]

    together = augmented(members, BATCH)

    for dropped, p in zip(together.x == 1, (0.0, 0.2, 1.0), strict=True):
        assert float(dropped[IN_USE[0]].double().mean()) == pytest.approx(p, abs=0.05 * (0 < p < 1))
        assert not dropped[~IN_USE[0]].any()
    kept = together.x != 1
    assert torch.equal(together.x[kept], BATCH.x.expand(3, -1, -1)[kept])
    assert together.lengths is BATCH.lengths
    for k, member in enumerate(members):
        assert torch.equal(together.x[k : k + 1], augmented([member], BATCH, seeds=(k + 1,)).x)


def test_rows_of_numbers_are_refused(make_job):
    with pytest.raises(SpecError, match=r"word_dropout needs texts, .* these rows are numbers, \(1, 8, 8\)"):
        make_plan(make_job(regularizers=[{"kind": "word_dropout", "p": 0.1}]))
