import gzip
import struct

import numpy as np
import pytest

from regcore.data.files.entry import Entry
from regcore.data.files.idx import parts_of, read_idx_file, read_parts
from regcore.data.images.cells import form_of, pixels_of
from regcore.errors import InvalidDataError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 3, 4), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2], np.uint8)


def idx(array):
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def entries(**files):
    return [
        Entry(name.replace("_", "-"), len(content), lambda content=content: content) for name, content in files.items()
    ]


def read(*, has_labels=True, **files):
    return read_parts(parts_of(entries(**files)), has_labels=has_labels)


def test_a_pair_becomes_images_with_their_labels():
    table = read(images_idx3_ubyte=idx(IMAGES), labels_idx1_ubyte=gzip.compress(idx(LABELS)))

    facts = table.facts
    assert (facts.format, facts.modality, facts.default_target, facts.num_rows) == ("idx", "image", "label", 6)
    assert table.columns["label"].to_pylist() == LABELS.tolist()
    image = facts.column("image").image
    assert np.array_equal(pixels_of(table.columns["image"], form_of(image), image.shape)[:, 0], IMAGES)


def test_several_pairs_say_the_split():
    table = read(
        train_images_idx3_ubyte=idx(IMAGES[:4]),
        train_labels_idx1_ubyte=idx(LABELS[:4]),
        t10k_images_idx3_ubyte=idx(IMAGES[4:]),
        t10k_labels_idx1_ubyte=idx(LABELS[4:]),
    )

    assert table.columns["split"].to_pylist() == ["test"] * 2 + ["train"] * 4
    assert table.columns["label"].to_pylist() == [1, 2, 0, 1, 2, 0]


def test_images_alone_have_no_labels(tmp_path):
    (tmp_path / "images-idx3-ubyte").write_bytes(idx(IMAGES))
    pair = {"images_idx3_ubyte": idx(IMAGES), "labels_idx1_ubyte": idx(LABELS)}

    for table in (read_idx_file(tmp_path / "images-idx3-ubyte"), read(has_labels=False, **pair)):
        assert table.columns.column_names == ["image"]
        assert (table.facts.num_rows, table.facts.default_target) == (6, None)


def test_other_files_are_no_pairs():
    assert parts_of(entries(readme=b"", photo_png=b"")) == []


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"labels_idx1_ubyte": idx(LABELS)}, "labels-idx1-ubyte has no file of images"),
        (
            {"a_images_idx3": idx(IMAGES), "a_labels_idx1": idx(LABELS), "b_images_idx3": idx(IMAGES)},
            "b-images-idx3 has no file of labels",
        ),
        ({"images_idx3": idx(IMAGES)[:-1]}, "images-idx3 is no whole IDX file"),
        ({"images_idx3": gzip.compress(idx(IMAGES))[:-9]}, "images-idx3 is no whole IDX file"),
        ({"images_idx3": b"\0\0\x08\x03" + b"\xff" * 12}, "cannot hold an array"),
        ({"images_idx3": b"\0\0\x0d\x03" + b"\0" * 12}, "expected an IDX file of bytes"),
        ({"images_idx3": idx(LABELS)}, "holds an array of 1 axes; 3 were expected"),
        ({"images_idx3": idx(IMAGES), "labels_idx1": idx(LABELS[:4])}, "6 images, and labels-idx1 4 labels"),
        ({"x_images_idx3": idx(IMAGES), "y_images_idx3": idx(IMAGES)}, "says none"),
        ({"train_images_idx3": idx(IMAGES), "test_images_idx3": idx(IMAGES[:, :2])}, "images of different sizes"),
    ],
)
def test_what_is_no_whole_set_is_refused_by_name(files, said):
    with pytest.raises(InvalidDataError, match=said):
        read(**files)
