import pytest

from regcore.study.sweep import stronger_end

SPEC = {
    "regularizers": [{"kind": "l1", "strength": 1e-3}, {"kind": "early_stopping", "patience": 3}],
    "optimizer": {"kind": "adamw", "weight_decay": 0.01},
}


@pytest.mark.parametrize(
    ("pointer", "end"),
    [
        ("/regularizers/0/strength", "larger"),
        ("/regularizers/1/patience", "smaller"),
        ("/regularizers/1/min_delta", "larger"),
    ],
)
def test_a_regularizers_field_has_the_end_that_its_class_declares(pointer, end):
    assert stronger_end(pointer, SPEC) == end


@pytest.mark.parametrize(
    "pointer",
    [
        "/optimizer/learning_rate",
        "/training/epochs",
        "/model/hidden/0",
        "/regularizers/0",
        "/regularizers/0/strengths",
        "/regularizers/0/schedule/epochs",
        "/regularizers/2/strength",
        "/regularizers/-",
    ],
)
def test_any_other_place_has_none(pointer):
    assert stronger_end(pointer, SPEC) is None
