from regcore.layers import LayerMisfit
from regcore.layers.misfit import place_of


def test_it_says_what_gives_the_rows():
    misfit = LayerMisfit([4], "conv2d expects (C, H, W); it gets (128,)", "layers[3] flatten")

    assert str(misfit) == "layers[4] conv2d expects (C, H, W); it gets (128,) from layers[3] flatten"


def test_the_first_layer_gets_the_rows():
    misfit = LayerMisfit([0], "lstm expects (steps, features); it gets (13,)")

    assert str(misfit) == "layers[0] lstm expects (steps, features); it gets (13,) from the rows"


def test_a_reason_that_says_no_shape_has_no_source():
    misfit = LayerMisfit([1], "linear: features may be omitted only there", "layers[0] linear")

    assert str(misfit) == "layers[1] linear: features may be omitted only there"


def test_from_the_list_around_it_the_path_is_longer():
    inner = LayerMisfit([1], "pool expects (C, H, W); it gets (8,)", "layers[0] linear")
    first = LayerMisfit([0], "pool expects (C, H, W); it gets (8,)")

    assert str(inner.inside(2, "layers[1] linear")) == (
        "layers[2].layers[1] pool expects (C, H, W); it gets (8,) from layers[2].layers[0] linear"
    )
    assert str(first.inside(2, "layers[1] linear")) == (
        "layers[2].layers[0] pool expects (C, H, W); it gets (8,) from layers[1] linear"
    )
    assert first.inside(0, None).inside(3, "layers[2] relu").path == (3, 0, 0)
    assert place_of([3, 0]) == "layers[3].layers[0]"
