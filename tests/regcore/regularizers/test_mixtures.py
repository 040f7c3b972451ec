import numpy as np
import torch

from regcore.doubts import Beside, RunShape
from regcore.regularizers.mixtures import Mixture, doubts_of_mixtures, draw_mixture

VALUES = torch.arange(6.0).view(2, 3)
MIXTURE = Mixture([1.0, 0.25], torch.tensor([[1, 2, 0], [0, 0, 1]]), [])


def test_rows_are_mixed_with_their_own_members_rows():
    assert MIXTURE.others(VALUES).tolist() == [[1.0, 2.0, 0.0], [3.0, 3.0, 4.0]]
    assert MIXTURE.mixed(VALUES).tolist() == [[0.0, 1.0, 2.0], [3.0, 3.25, 4.25]]
    assert MIXTURE.mixed(VALUES, [0.5, 0.0]).tolist() == [[0.5, 1.5, 1.0], [3.0, 3.0, 4.0]]


def test_each_member_draws_a_share_and_an_order_from_its_own_stream():
    both = draw_mixture([0.0, 1.0], torch.zeros(2, 5, 1), [7, 8])
    second = draw_mixture([1.0], torch.zeros(1, 5, 1), [8])

    assert both.shares == [1.0, *second.shares]
    assert torch.equal(both.partners[1:], second.partners)
    assert (np.sort(both.partners.numpy(), 1) == np.arange(5)).all()
    assert both.streams[1].integers(1000) == second.streams[0].integers(1000)


def test_a_teacher_and_another_mixture_are_doubted():
    run = RunShape(1, 1, 1, 1, regularizers=(Beside("knowledge_distillation"), Beside("mixup"), Beside("cutmix")))

    codes = {kind: [doubt.code for doubt in doubts_of_mixtures(kind, run)] for kind in ("mixup", "cutmix")}

    assert codes == {
        "mixup": ["mixup_with_distillation"],
        "cutmix": ["cutmix_with_distillation", "cutmix_with_mixup"],
    }
    assert list(doubts_of_mixtures("cutmix", RunShape(1, 1, 1, 1))) == []
