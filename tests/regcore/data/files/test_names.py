import pytest

from regcore.data.files.names import Place, check_path, is_of_system, places_of
from regcore.errors import InvalidDataError


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../up.png", "leads out"),
        ("a/../../up.png", "leads out"),
        ("a\\..\\up.png", "leads out"),
        ("/etc/passwd", "absolute"),
        ("C:\\x.png", "absolute"),
        ("a\0.png", "control characters"),
        ("a\x1b[31m.png", "control characters"),
        ("a" * 1_001, "has 1,001 characters"),
    ],
)
def test_a_path_that_names_no_file_in_the_set_is_refused(path, why):
    with pytest.raises(InvalidDataError, match=why):
        check_path(path)


@pytest.mark.parametrize("path", ["a/b.png", "ä/猫 🐈/C#.png", "a..b/..c.png"])
def test_any_other_name_is_taken(path):
    check_path(path)


@pytest.mark.parametrize(
    "path", [".DS_Store", "cat/.DS_Store", "__MACOSX/cat/._1.png", "cat/Thumbs.db", "DESKTOP.INI", ".git/config"]
)
def test_what_systems_leave_is_known(path):
    assert is_of_system(path)
    assert not is_of_system("cat/1.png")


@pytest.mark.parametrize(
    ("paths", "labels", "splits"),
    [
        (["cat/1.png", "dog/1.png"], ["cat", "dog"], None),
        (["photos/cat/1.png", "photos/dog/1.png"], ["cat", "dog"], None),
        (["cat/1.png", "cat/2.png"], ["cat", "cat"], None),
        (["cat/2020/1.png", "dog/1.png"], ["cat", "dog"], None),
        (["1.png", "2.png"], [None, None], None),
        (["s/train/cat/1.png", "s/val/dog/1.png", "s/Test/cat/2.png"], ["cat", "dog", "cat"], "train validation test"),
        (["train/1.png", "test/1.png"], [None, None], "train test"),
        (["test/1.png", "exam/1.png"], ["test", "exam"], None),
    ],
    ids=["classes", "a folder of all", "one class", "deeper", "no classes", "splits", "splits alone", "a class test"],
)
def test_folders_say_the_class_and_the_split(paths, labels, splits):
    expected = splits.split() if splits else [None] * len(paths)

    assert places_of(paths) == [Place(label, split) for label, split in zip(labels, expected, strict=True)]


def test_files_beside_the_folders_of_classes_are_refused():
    with pytest.raises(InvalidDataError, match=r"2 files are in a folder of their class, and 1 are in none: '3\.png'"):
        places_of(["cat/1.png", "dog/2.png", "3.png"])
