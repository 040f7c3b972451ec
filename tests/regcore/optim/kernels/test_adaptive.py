import pytest
from kernel_runs import CASES, differing_tensors

from regcore.optim import Adam, AdamW, RMSprop

OPTIMIZERS = {
    "adam": Adam(learning_rate=0.003),
    "adam_from_the_far_end": Adam(learning_rate=0.003, beta1=0.3),
    "adamw": AdamW(learning_rate=0.003, weight_decay=0.1),
    "rmsprop": RMSprop(learning_rate=0.001),
    "rmsprop_momentum": RMSprop(learning_rate=0.001, momentum=0.9),
}


@pytest.mark.parametrize("parts", CASES, ids=lambda parts: " and ".join(parts) or "nothing")
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_the_kernel_moves_weights_as_torchs_operations_do(optimizer, parts):
    assert differing_tensors(optimizer, parts) == []
