"""The identity of a run, by which its checkpoints are recognized: spec and data; and what else its bits depend on."""

import hashlib
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch

from regcore.checkpoint import State
from regcore.data.prepared import PreparedData
from regcore.errors import CheckpointError, SpecError
from regcore.plan import make_plan
from regcore.spec import JobSpec, parse_spec

_FREE_FIELDS: Final = ("spec_version", "name", "labels", "resources", "priority", "fusion", "exports")
_CPU_INFO: Final = Path("/proc/cpuinfo")
_FREE_TRAINING_FIELDS: Final = ("checkpoint_every_s",)
_BY_SPEC: Final[Mapping[str, str]] = MappingProxyType({})
_DATA_OF_BEFORE: Final = {"standardize_target": False}
"""How runs from before a field existed were trained, if that differs from the field's default today."""


def identify(
    specs: Mapping[str, JobSpec], data: PreparedData, device: torch.device, begun_with: Mapping[str, str] = _BY_SPEC
) -> State:
    """The identity that a checkpoint stores, to recognize its run and to tell whether resuming is exact.

    Args:
        specs: The spec of each member, by its key.
        data: The data as they are fed to the members.
        device: The device that they train on.
        begun_with: By key, a digest of what a member begins with that its spec does not hold.
    """
    return {
        "is_exact": True,
        "specs": {key: _decisive(spec) for key, spec in specs.items()},
        "data_sha256": data_sha256(data),
        "begun_with": dict(begun_with),
        "environment": {
            "torch": str(torch.__version__),
            "machine": platform.machine(),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "processor": _processor(),
            "num_threads": torch.get_num_threads(),
        },
    }


def continue_as(saved: State, current: State) -> State:
    """The identity of a resumed run: exact if everything that its bits depend on has stayed the same.

    Args:
        saved: The checkpoint's.
        current: The identity in this process, whose members are among the checkpoint's.

    Raises:
        CheckpointError: The checkpoint is of other specs or of other data.
    """
    specs = {key: _with_defaults(spec) for key, spec in saved.get("specs", {}).items() if key in current["specs"]}
    differing = sorted({path.partition(".")[2] or "members" for path in _differences(specs, current["specs"])})
    if differing:
        raise CheckpointError(
            f"the checkpoint is of another spec: {', '.join(differing)} differ",
            remedy="Resume with the spec that it was begun with, or from an empty directory.",
            details={"differing": differing},
        )
    if saved["data_sha256"] != current["data_sha256"]:
        raise CheckpointError(
            "the data set is not the one that the checkpoint was trained on",
            remedy="Restore the data, or begin anew in an empty directory.",
        )
    begun_with = saved.get("begun_with", {})  # older checkpoints have none
    others = sorted(key for key, digest in current["begun_with"].items() if begun_with.get(key, digest) != digest)
    if others:
        raise CheckpointError(
            "the model that training begins with, or the file of its pretrained weights, is not that of the checkpoint",
            remedy="Restore it, or begin anew in an empty directory.",
            details={"members": others},
        )
    same_bits = saved["environment"] == current["environment"] and saved["specs"].keys() == current["specs"].keys()
    # The compiler may make other kernels for a run that starts in the middle.
    is_compiled = any(spec["training"]["compile"] for spec in current["specs"].values())
    return current | {"is_exact": saved["is_exact"] and same_bits and not is_compiled}


def data_sha256(data: PreparedData) -> str:
    """A digest of all rows, as they are fed to the model."""
    digest = hashlib.sha256()
    for split in (data.train, data.validation, data.test):
        if split is not None:
            split.identify(digest)
    return digest.hexdigest()


def _with_defaults(saved: dict[str, Any]) -> dict[str, Any]:
    """A saved spec, with new fields set to how it was trained, which mostly is their default."""
    data = saved.get("data", {})
    try:
        parsed = parse_spec({**saved, "data": _DATA_OF_BEFORE | data})
        # A saved spec is resolved; only what versions added since depends on the data, and own data came with them.
        is_known = parsed.data.kind in ("builtin", "torchvision") and not parsed.model.only_in_python
        return _decisive(make_plan(parsed).resolved_spec if is_known else parsed)
    except SpecError:
        return saved


def _processor() -> str:
    """The choice of kernels depends on the processor's vendor, not only on its instruction set."""
    models = re.findall(r"^model name\s*: (.*)$", _CPU_INFO.read_text(), re.MULTILINE) if _CPU_INFO.exists() else []
    return f"{models[0] if models else platform.processor()} {torch.backends.cpu.get_cpu_capability()}"


def _decisive(spec: JobSpec) -> dict[str, Any]:
    """The fields on which training depends."""
    fields = spec.model_dump(mode="json", exclude=set(_FREE_FIELDS))
    for name in _FREE_TRAINING_FIELDS:
        del fields["training"][name]
    return fields


def _differences(saved: Any, current: Any, where: str = "") -> set[str]:
    """Paths of the values that differ, as `training.seed`."""
    if isinstance(saved, dict) and isinstance(current, dict):
        inner = (
            _differences(saved.get(key), current.get(key), f"{where}.{key}".lstrip("."))
            for key in saved.keys() | current.keys()
        )
        return set().union(*inner)
    return set() if saved == current else {where}
