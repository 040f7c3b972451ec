import pytest
from kernel_runs import CASES, differing_tensors

from regcore.optim import SGD

OPTIMIZERS = {
    "plain": SGD(learning_rate=0.05, momentum=0),
    "momentum": SGD(learning_rate=0.05),
    "nesterov": SGD(learning_rate=0.02, nesterov=True),
}


@pytest.mark.parametrize("parts", CASES, ids=lambda parts: " and ".join(parts) or "nothing")
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_the_kernel_moves_weights_as_torchs_operations_do(optimizer, parts):
    assert differing_tensors(optimizer, parts) == []
