"""CSV files as people's programs write them: each kind of dialect once, and each kind of wrong file."""

from pathlib import Path
from typing import Literal

from regcore.data.tables.limits import Limits
from regcore.data.tables.read.csv import read_csv
from regcore.data.tables.table import Table


def read(
    folder: Path,
    content: str | bytes,
    header: Literal["auto", "yes", "no"] = "auto",
    limits: Limits = Limits(),  # noqa: B008 a frozen value
) -> Table:
    path = folder / "rows[1]*.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_csv(path, header=header, limits=limits, on_progress=lambda share: None)


DIALECTS: dict[str, tuple[str | bytes, dict[str, list[str]]]] = {
    "comma": ("a,b\n1,x\n2,y\n", {"a": ["1", "2"], "b": ["x", "y"]}),
    "semicolon and decimal comma": ("a;b;c\n1,5;x;y\n2,5;z;w\n", {"a": ["1,5", "2,5"], "b": ["x", "z"], "c": ["y", "w"]}),
    "tab": ("a\tb\n1\t2 3\n4\t5\n", {"a": ["1", "4"], "b": ["2 3", "5"]}),
    "pipe": ("a|b\n1|2\n3|4\n", {"a": ["1", "3"], "b": ["2", "4"]}),
    "quotes with separators and line ends": (
        'a,b\n"x,1","y\nz"\n"u ""q""",v\n',
        {"a": ["x,1", 'u "q"'], "b": ["y\nz", "v"]},
    ),
    "quotes escaped by a backslash": ('a,b\n"x \\"q\\", r",1\nb,2\n', {"a": ['x "q", r', "b"], "b": ["1", "2"]}),
    "single quotes": ("a,b\n'x,1',2\n'y',3\n", {"a": ["x,1", "y"], "b": ["2", "3"]}),
    "space before a quote": ('a, b\n1, "x, y"\n2, "z"\n', {"a": ["1", "2"], "b": ["x, y", "z"]}),
    "a quote within a cell": ('a,b\n5" disk,1\n3,2\n', {"a": ['5" disk', "3"], "b": ["1", "2"]}),
    "CRLF": ("a,b\r\n1,2\r\n3,4\r\n", {"a": ["1", "3"], "b": ["2", "4"]}),
    "CRLF with LF in quotes": ('a,b\r\n"x\ny",1\r\nz,2\r\n', {"a": ["x\ny", "z"], "b": ["1", "2"]}),
    "CR": ("a,b\r1,2\r3,4\r", {"a": ["1", "3"], "b": ["2", "4"]}),
    "line ends of two kinds": ('a,b\r\n1,2\n3,"4"\r\n', {"a": ["1", "3"], "b": ["2", "4"]}),
    "no line end at the end": ('a,b\n1,"x"', {"a": ["1"], "b": ["x"]}),
    "blank lines": ("\n\na,b\n\n1,2\n\n3,4\n\n", {"a": ["1", "3"], "b": ["2", "4"]}),
    "comments before the header": ("# made by\n# us, today\na,b\n1,2\n", {"a": ["1"], "b": ["2"]}),
    "a header that begins with #": ("#id\tb\n1\t2\n", {"#id": ["1"], "b": ["2"]}),
    "separator named for Excel": ("sep=;\na,1;b\n1;2\n", {"a,1": ["1"], "b": ["2"]}),
    "trailing separators": ("a,b,\n1,2,\n3,4,\n", {"a": ["1", "3"], "b": ["2", "4"]}),
    "trailing separators but in the header": ("a,b\n1,2,\n3,4,\n", {"a": ["1", "3"], "b": ["2", "4"]}),
    "trailing separator in the header alone": ("a,b,\n1,2\n3,4\n", {"a": ["1", "3"], "b": ["2", "4"]}),
    "spaces around cells": ("a, b \n 1 , x\n\t2,y \n", {"a": ["1", "2"], "b": ["x", "y"]}),
    "one column": ("a\nx\n\ny\n", {"a": ["x", "", "y"]}),
    "empty cells": ('a,b\n,""\n"",\n', {"a": ["", ""], "b": ["", ""]}),
    "UTF-8 with a mark": ('"ä,ö",b\n1,ß\n'.encode("utf-8-sig"), {"ä,ö": ["1"], "b": ["ß"]}),
    "UTF-16 with a mark": ("ä;b\n1,5;ß\n".encode("utf-16"), {"ä": ["1,5"], "b": ["ß"]}),
    "UTF-16 without a mark": ("name,b\none,ß\n".encode("utf-16-le"), {"name": ["one"], "b": ["ß"]}),
    "Latin-1": ("a;b\n1;Größe\n".encode("latin-1"), {"a": ["1"], "b": ["Größe"]}),
    "Windows": ("a;b\n1;5 €\n".encode("cp1252"), {"a": ["1"], "b": ["5 €"]}),
    "names": ("größe, n ,größe,,a\u0301\n1,2,3,4,5\n", dict(zip(("größe", "n", "größe_2", "column_4", "á"), "12345"))),  # noqa: B905
}
