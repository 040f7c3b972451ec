from regcore.models import LinearModel
from regcore.shapes import RowInfo


def test_it_is_one_layer_with_the_tasks_outputs():
    assert [layer.model_dump(exclude_defaults=True) for layer in LinearModel().expand(RowInfo((3,)))] == [{}]


def test_it_may_have_no_intercept():
    (layer,) = LinearModel(bias=False).expand(RowInfo((3,)))

    assert not layer.bias
