import pytest

from regcore.data.files.entry import Entry
from regcore.data.texts.read import read_texts
from regcore.errors import InvalidDataError


def column_of(*contents: bytes):
    entries = [Entry(f"a/{n}.txt", len(content), lambda own=content: own) for n, content in enumerate(contents)]
    told: list[float] = []
    return read_texts(entries, told.append), told


def test_files_are_decoded_each_by_itself():
    column, told = column_of(
        "Grüße 😀\r\n".encode(), "\ufeffmit Marke".encode(), "Grüße".encode("latin-1"), "so".encode("utf-16")
    )

    assert [cell.as_py().strip() for cell in column.cells] == ["Grüße 😀", "mit Marke", "Grüße", "so"]
    assert told == [0.25, 0.5, 0.75, 1]
    assert [(one.code, "a/2.txt" in one.message) for one in column.warnings] == [("encoding_guessed", True)]
    assert column.facts.max_words == 2


def test_an_empty_file_is_kept_and_told():
    column, _ = column_of(b"some words", b"", b" \n")

    assert column.cells.to_pylist() == ["some words", "", " \n"]
    assert column.facts.num_empty == 2
    assert [(one.code, one.message.startswith("2 texts")) for one in column.warnings] == [("texts_empty", True)]


@pytest.mark.parametrize(
    "content", [b"a\0b", bytes(range(1, 32)) * 4, b"gr\xc3\xbc\xc3\x9fe \xff"], ids=["zero", "binary", "two encodings"]
)
def test_what_is_no_text_is_refused_and_named(content):
    with pytest.raises(InvalidDataError, match=r"^a/1\.txt: ") as refused:
        column_of(b"fine", content)

    assert refused.value.details["file"] == "a/1.txt"
