import pytest

from regcore.pictures.colours import DARK, LIGHT, blended, contrast, hexadecimal, needs_other_text


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_is_read_on_every_shade(palette) -> None:
    for colour in (palette.right, palette.wrong):
        for step in range(101):
            text = palette.other if needs_other_text(palette, colour, step / 100) else palette.plain
            assert contrast(blended(colour, palette.ground, step / 100), text) >= 4.5
    for text in (palette.text, palette.muted):
        assert contrast(text, palette.ground) >= 4.5


def test_contrast_is_that_of_wcag() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == 21
    assert contrast((118, 118, 118), (255, 255, 255)) == pytest.approx(4.54, abs=0.01)  # W3C's own example


def test_half_a_colour_is_half_way_from_its_ground() -> None:
    assert blended((0, 100, 200), (200, 200, 200), 0.5) == (100, 150, 200)
    assert hexadecimal((9, 82, 168)) == "#0952a8"
