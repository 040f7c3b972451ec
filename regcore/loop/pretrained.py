"""Beginning with torchvision's pretrained weights, from a file that the operator has."""

import hashlib
import pickle
import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from regcore.data.load import DATA_DIR_VARIABLE, DOWNLOAD_VARIABLE, data_sets_folder, may_download
from regcore.errors import InvalidDataError
from regcore.layers.torchvision import build, read_table
from regcore.loop.network import StackedNetwork
from regcore.record import Record
from regcore.spec.job import JobSpec

ADDRESS: Final = "https://download.pytorch.org/models/"
FOLDER: Final = "weights"
"""In the folder of data sets."""
_HASH: Final = re.compile(r"-([a-f0-9]{8,})\.")
_SIDE: Final = 224
_OLD_NAMES: Final = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)$")
"""DenseNet's files are older than its names."""


def find_weights(spec: JobSpec, data_dir: Path | None) -> Path | None:
    """The file of the model's pretrained weights; None if it begins otherwise.

    Raises:
        InvalidDataError: It is not there, and may not be downloaded.
    """
    name = spec.model.pretrained
    if name is None or spec.init_from is not None:
        return None
    own = data_sets_folder(data_dir) / FOLDER
    folders = [own, data_sets_folder(data_dir) / "hub" / "checkpoints", Path(torch.hub.get_dir()) / "checkpoints"]
    found = next((folder / name for folder in folders if (folder / name).is_file()), None)
    return found or _downloaded(name, own, ", ".join(map(str, folders)))


def _downloaded(name: str, folder: Path, looked_in: str) -> Path:
    cause = ""
    if may_download():
        prefix = _HASH.search(name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(
                ADDRESS + name, str(folder / name), prefix and prefix.group(1), progress=False
            )
            return folder / name
        except (OSError, RuntimeError) as error:
            cause = f", and it cannot be downloaded: {error}"
    raise InvalidDataError(
        f"The file {name} of the pretrained weights is not there{cause}. Looked in {looked_in}.",
        remedy=f"Put it into the folder {FOLDER!r} of the data directory ({DATA_DIR_VARIABLE}), let the server "
        f"download it ({DOWNLOAD_VARIABLE}=true), or set model.weights to null.",
        details={"file": name, "looked_in": looked_in},
    )


def file_sha256(path: Path) -> str:
    """Of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@torch.no_grad()
def load_weights(path: Path, spec: JobSpec, network: StackedNetwork, position: int) -> Record:
    """Put what fits of a file's weights into one member; the rest begins at random.

    Embeddings of places are interpolated to the images' size, as torchvision does it.

    Returns:
        A warning of what begins at random.

    Raises:
        InvalidDataError: The file cannot be read, or is of another model.
    """
    model: Any = spec.model
    saved = _read(path, model.name)
    positions = read_table()[model.name]["positions"]
    if positions:
        saved = _with_places(saved, network.infos[positions].shape[1])
    fresh = [name for name, info in network.infos.items() if tuple(saved[name].shape) != info.shape]
    for name in network.infos.keys() - set(fresh):
        network.tensors[name][position] = saved[name].to(network.tensors[name])
    stay = f"{', '.join(fresh)} begin(s) at random: other shapes" if fresh else "nothing begins at random"
    message = f"{model.name} begins with {model.weights} of {path.name}; {stay}."
    return Record("warning", {"code": "pretrained_weights", "message": message})


def _with_places(saved: Mapping[str, Tensor], num_places: int) -> Mapping[str, Tensor]:
    """With embeddings of as many places, one for the class and one for each patch of a square image."""
    from torchvision.models.vision_transformer import interpolate_embeddings

    side = round((num_places - 1) ** 0.5)
    return dict(interpolate_embeddings(side, 1, OrderedDict(saved)))


def _read(path: Path, name: str) -> Mapping[str, Tensor]:
    """The file's tensors by the names that torchvision's model has today."""
    remedy = "Put torchvision's own file of that name there, or set model.weights to null."
    try:
        read = torch.load(path, map_location="cpu", weights_only=True)
        found = {_OLD_NAMES.sub(r"\1\2", key): tensor for key, tensor in read.items()}
        head = found[f"{read_table()[name]['head']}.weight"]
        with torch.device("meta"):  # without drawing values
            plain = build(name, shape=(3, _SIDE, _SIDE), num_outputs=len(head), small_images=False)
        # As torchvision itself loads it: its modules know the names of older files.
        read.clear()
        read.update(found)
        plain.load_state_dict(read, assign=True)
    except (
        OSError,
        EOFError,
        pickle.UnpicklingError,
        RuntimeError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        raise InvalidDataError(
            f"{path} does not hold the weights of {name}: {type(error).__name__}: {error}", remedy=remedy
        ) from error
    return plain.state_dict()
