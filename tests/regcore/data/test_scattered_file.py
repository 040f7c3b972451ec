import hashlib

import numpy as np
import torch

from regcore.data.file_rows import Manifest, open_rows
from regcore.data.prepared import Split
from regcore.data.scattered_file import ScatteredFile
from regcore.data.write_rows import arrays_of, layout_of, write_manifest, write_rows


def test_rows_that_are_put_in_any_order_are_the_file_that_is_written_in_order(tmp_path):
    rng = np.random.default_rng(0)
    num_rows = 103
    split = Split(
        torch.from_numpy(rng.random((num_rows, 3, 2), np.float32)),
        torch.from_numpy(rng.integers(0, 9, num_rows)),
        lengths=torch.from_numpy(rng.integers(1, 4, num_rows)),
    )
    write_rows(tmp_path / "in order", {"train": [split]}, block_bytes=400)
    layout = layout_of(arrays_of(split), None, 400)

    (tmp_path / "scattered").mkdir()
    file = ScatteredFile(tmp_path / "scattered" / "train.rows", layout, num_rows)
    for places in np.array_split(rng.permutation(num_rows), 7):
        file.put(places, {name: array[places] for name, array in arrays_of(split).items()})
    written = file.close()

    content = (tmp_path / "scattered" / "train.rows").read_bytes()
    assert content == (tmp_path / "in order" / "train.rows").read_bytes()
    assert written.sha256 == hashlib.sha256(content).hexdigest()
    write_manifest(tmp_path / "scattered", Manifest(layout.columns, None, layout.block_rows, {"train": written}))
    batch = open_rows(tmp_path / "scattered")["train"].fetch(torch.tensor([[5, 99]]))
    assert torch.equal(batch.x[0], split.x[[5, 99]])
