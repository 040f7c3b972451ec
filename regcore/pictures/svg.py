"""An SVG file: its frame, its style for light and dark surroundings, and the few elements that pictures need."""

from collections.abc import Iterable
from typing import Final

from regcore.pictures.colours import DARK, LIGHT, Palette, hexadecimal
from regcore.pictures.text import xml

_FONTS: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"


def document(width: float, height: float, *, title: str, description: str, parts: Iterable[str]) -> str:
    """A whole file. It loads nothing and runs nothing; a browser's dark mode changes its colours.

    Args:
        width: In pixels.
        height: In pixels.
        title: What the picture is, for people who do not see it.
        description: What it shows, for them.
        parts: Elements, from the bottom to the top.
    """
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" lang="en" role="img" aria-labelledby="title description" '
        f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">\n'
        f'<title id="title">{xml(title)}</title>\n<desc id="description">{xml(description)}</desc>\n'
        f"<style>\n{_style()}\n</style>\n"
        f'<rect class="ground" width="100%" height="100%"/>\n{body}\n</svg>\n'
    )


def text(x: float, y: float, said: str, kinds: str = "", *, anchor: str = "", more: str = "", hint: str = "") -> str:
    """A line of text.

    Args:
        x: Where it begins, or its middle or end, as `anchor` says.
        y: Of its baseline.
        said: The text.
        kinds: CSS classes.
        anchor: `middle` or `end`.
        more: Further attributes.
        hint: What is shown where the pointer rests; empty for nothing.
    """
    kinds = f"{kinds} hinted".lstrip() if hint else kinds
    kind = f' class="{kinds}"' if kinds else ""
    where = f' text-anchor="{anchor}"' if anchor else ""
    further = f" {more}" if more else ""
    return f'<text x="{x:.5g}" y="{y:.5g}"{kind}{where}{further}>{_hint(hint)}{xml(said)}</text>'


def box(x: float, y: float, width: float, height: float, kind: str, *, opacity: float = 1, hint: str = "") -> str:
    """A filled rectangle."""
    shade = f' fill-opacity="{opacity:.3g}"' if opacity < 1 else ""
    place = f'x="{x:.5g}" y="{y:.5g}" width="{width:.5g}" height="{height:.5g}"'
    return f'<rect {place} class="{kind}"{shade}' + (f">{_hint(hint)}</rect>" if hint else "/>")


def _hint(hint: str) -> str:
    return f"<title>{xml(hint)}</title>" if hint else ""


def _style() -> str:
    sizes = (
        # A label that is written from the right is so in its own line alone.
        f"svg {{ font-family: {_FONTS}; font-size: 12px }}\n"
        "text { unicode-bidi: plaintext; white-space: pre; pointer-events: none }\n"
        ".hinted { pointer-events: auto }\n"
        ".headline { font-size: 15px; font-weight: 600 }\n"
        ".axis { font-weight: 600 }\n"
        ".frame { fill: none }"
    )
    return f"{sizes}\n{_colours(LIGHT, 'light')}\n@media (prefers-color-scheme: dark) {{\n{_colours(DARK, 'dark')}\n}}"


def _colours(palette: Palette, surroundings: str) -> str:
    """Cells' text has a class for each of the surroundings in which it takes the other colour."""
    of = {name: hexadecimal(getattr(palette, name)) for name in Palette.__dataclass_fields__}
    return "\n".join(
        [
            f".ground {{ fill: {of['ground']} }}",
            f"text {{ fill: {of['text']} }}",
            f".muted {{ fill: {of['muted']} }}",
            f".frame {{ stroke: {of['line']} }}",
            f".right {{ fill: {of['right']} }}",
            f".wrong {{ fill: {of['wrong']} }}",
            f".count {{ fill: {of['plain']} }}",
            f".other-in-{surroundings} {{ fill: {of['other']} }}",
        ]
    )
