import pytest

from regcore.data.files.kinds import ending_of, media_of
from regcore.errors import InvalidDataError


@pytest.mark.parametrize(
    ("paths", "media"),
    [
        (["a/1.PNG", "b/2.jpeg", "b/3.webp"], "image"),
        (["a/1.wav", "b/2.flac"], "audio"),
        (["a/1.txt", "b/2.txt"], "text"),
    ],
)
def test_the_endings_say_what_a_set_is_of(entries, paths, media):
    found, kept, warnings = media_of(entries(*paths))

    assert found == media
    assert [entry.path for entry in kept] == paths
    assert warnings == []


def test_notes_beside_the_images_are_left_out_and_named(entries):
    found, kept, (warning,) = media_of(entries("LICENSE", "a/1.png", "a/notes.txt", "labels.csv"))

    assert found == "image"
    assert [entry.path for entry in kept] == ["a/1.png"]
    assert warning.code == "files_left_out"
    assert warning.message == "3 other files are left out: 'LICENSE', 'a/notes.txt', 'labels.csv'."


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ([], "no files that are read as a set: nothing"),
        (["a/1.xyz"], "no files that are read as a set: 'a/1.xyz'"),
        (["a/1.png", "b/1.wav"], "several kinds of files: 1 of image and 1 of audio"),
        (["a/1.png", "b/1.gif"], "b/1.gif is an image by its name, and is not read"),
        (["a/1.png", "more.zip"], "more.zip is an archive by its name"),
        (["a/1.wav", "a/2.mp3"], "a/2.mp3 is a sound by its name"),
        (["rows.csv"], "rows.csv is a file of rows"),
        (["a/1.tiff"], "a/1.tiff is an image"),
    ],
)
def test_what_is_no_set_or_may_be_meant_is_refused_by_name(entries, paths, said):
    with pytest.raises(InvalidDataError, match=said):
        media_of(entries(*paths))


def test_an_ending_is_the_last_one_in_lower_case():
    assert ending_of("a.b/C#.tar.GZ") == ".gz"
