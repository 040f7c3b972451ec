import pytest
from pydantic import ValidationError

from regcore.spec.training import Training


@pytest.mark.parametrize(
    ("field", "value"),
    [("epochs", 0), ("batch_size", 0), ("batch_size", "half"), ("seed", -1), ("seed", 2**63), ("precision", "int8")],
)
def test_numbers_have_bounds(field, value):
    with pytest.raises(ValidationError, match=field):
        Training(**{field: value})


def test_a_batch_may_be_the_whole_train_split():
    assert Training(batch_size="full").batch_size == "full"
