from xml.etree import ElementTree

from regcore.pictures.svg import box, document, text

SVG = "{http://www.w3.org/2000/svg}"


def parsed(*parts: str) -> ElementTree.Element:
    written = document(30, 20.5, title="a < b", description='"c" & d', parts=parts)
    return ElementTree.fromstring(written)  # noqa: S314 # written here


def test_a_picture_has_its_size_and_is_told_in_words() -> None:
    root = parsed()

    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("30", "20.5", "0 0 30 20.5")
    assert (root.find(f"{SVG}title").text, root.find(f"{SVG}desc").text) == ("a < b", '"c" & d')


def test_it_follows_a_dark_browser_and_loads_nothing() -> None:
    written = document(1, 1, title="", description="", parts=[])

    assert "@media (prefers-color-scheme: dark)" in written
    assert written.count(".ground { fill:") == 2
    assert "url(" not in written
    assert written.count("http") == 1  # the namespace


def test_text_is_escaped_and_says_more_where_the_pointer_rests() -> None:
    root = parsed(text(1, 2, "<a>", "muted", anchor="end", hint="<a> & b"), text(3, 4, "plain"))

    hinted, plain = root.iter(f"{SVG}text")
    assert (hinted.get("class"), hinted.get("text-anchor"), hinted[0].text, hinted[0].tail) == (
        "muted hinted", "end", "<a> & b", "<a>",
    )  # fmt: skip
    assert (plain.attrib, plain.text) == ({"x": "3", "y": "4"}, "plain")


def test_a_box_lets_its_ground_through_as_far_as_asked() -> None:
    pale, full = parsed(box(0, 0, 2, 3, "wrong", opacity=0.25), box(0, 0, 1, 1, "right", hint="h"))[-2:]

    assert (pale.get("fill-opacity"), pale.get("width"), pale.get("height")) == ("0.25", "2", "3")
    assert (full.get("fill-opacity"), full[0].text) == (None, "h")
