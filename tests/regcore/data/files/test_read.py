"""Folders and archives of files become tables: a row for each file, with its class and its split."""

import pytest
from image_files import image_file
from PIL import Image

from regcore.data.files.read import read_archive, read_folder
from regcore.errors import InvalidDataError

FILES = {
    "pets/cat/1.png": image_file(Image.new("L", (3, 2), 10)),
    "pets/cat/2.png": image_file(Image.new("L", (3, 2), 20)),
    "pets/dog/1.png": image_file(Image.new("L", (3, 2), 30)),
    "pets/.DS_Store": b"x",
    "pets/README.txt": b"Pets of our street.",
}


def in_folder(folder, files):
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def test_a_folder_and_its_archive_are_the_same_table(tmp_path, zipped):
    shares = []

    tables = [
        read_folder(in_folder(tmp_path / "set", FILES), shares.append),
        read_archive(zipped(FILES), shares.append),
    ]

    for table, format in zip(tables, ("folder", "zip"), strict=True):
        facts = table.facts
        assert (facts.format, facts.modality, facts.default_target, facts.num_rows) == (format, "image", "label", 3)
        assert [(column.name, column.type) for column in facts.columns] == [
            ("file", "ignore"),
            ("label", "category"),
            ("image", "image"),
        ]
        assert table.columns["label"].to_pylist() == ["cat", "cat", "dog"]
        assert table.columns["image"].to_pylist() == [FILES[f"pets/{name}.png"] for name in ("cat/1", "cat/2", "dog/1")]
        assert any("README.txt" in warning.message for warning in facts.warnings)
    assert shares == [1, 1]


def test_folders_above_those_of_the_classes_say_the_split(tmp_path):
    files = {path.replace("pets/", f"{split}/"): FILES[path] for split in ("train", "val") for path in list(FILES)[:3]}

    table = read_folder(in_folder(tmp_path, files), lambda share: None)

    assert table.columns["split"].to_pylist() == ["train"] * 3 + ["validation"] * 3
    assert table.columns["label"].to_pylist() == ["cat", "cat", "dog"] * 2


def test_files_of_which_a_model_is_asked_may_lie_anywhere(tmp_path, zipped):
    files = {"a.png": FILES["pets/cat/1.png"], "new/b.png": FILES["pets/dog/1.png"]}

    for table in (
        read_folder(in_folder(tmp_path / "set", files), lambda share: None, has_classes=False),
        read_archive(zipped(files), lambda share: None, has_classes=False),
    ):
        assert table.columns.column_names == ["file", "image"]
        assert table.columns["file"].to_pylist() == ["a.png", "new/b.png"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pets/cat/3.png": b""}, r"pets/cat/3\.png is empty"),
        ({"pets/cat/3.png": b"%!PS-Adobe-3.0 EPSF-3.0"}, r"pets/cat/3\.png is an EPS or PostScript program"),
        ({"pets/cat/3.png": FILES["pets/cat/1.png"][:50]}, r"pets/cat/3\.png is damaged or cut short"),
    ],
)
def test_a_file_that_is_no_image_is_named(zipped, change, said):
    with pytest.raises(InvalidDataError, match=said):
        read_archive(zipped(FILES | change), lambda share: None)
