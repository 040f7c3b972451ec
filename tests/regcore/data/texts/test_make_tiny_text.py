import csv
import gzip
import sys

from regcore.data.texts import make_tiny_text

LINES = """\
  1 This software and database is being provided to you
00000001 05 n 01 dog 0 000 | a domesticated carnivorous mammal that barks at cats; "the dog barked all night"
00000002 05 n 01 cat 0 000 | a small animal
00000003 20 n 01 oak 0 000 | a deciduous tree that bears acorns and has lobed leaves
00000004 18 n 01 man 0 000 | an adult person who is male as opposed to a woman
00000005 06 n 01 cot 0 000 | a word of slang for a thing to lie on
"""


def test_definitions_of_some_words_become_rows(tmp_path, monkeypatch):
    source = tmp_path / "data.noun"
    source.write_text(LINES)
    monkeypatch.setattr(sys, "argv", ["make_tiny_text.py", str(source)])
    monkeypatch.setattr(make_tiny_text, "__file__", str(tmp_path / "make_tiny_text.py"))

    make_tiny_text.main()

    with gzip.open(tmp_path / "tiny_text.csv.gz", "rt", newline="") as file:
        rows = {row["text"]: row["label"] for row in csv.DictReader(file)}
    assert rows == {
        "a domesticated carnivorous mammal that barks at cats": "animal",
        "a deciduous tree that bears acorns and has lobed leaves": "plant",
    }
