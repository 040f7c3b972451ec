from regcore.data.images.sizes import LONGER_SIDE, SHORTER_SIDE


def test_images_are_kept_larger_than_the_usual_recipes_need_and_bounded():
    assert 224 < SHORTER_SIDE < LONGER_SIDE <= 4 * SHORTER_SIDE
