"""Where machine code is kept between processes.

One file for each kernel, written beside its place and then renamed, so that processes that compile at once do not meet;
it begins with its digest, so that a torn or changed file is compiled anew. Its name has all that the code depends on:
the source, the compiler and the processor.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from regcore.optim.kernels.machine import machine_name


def kept(name: str, compile: Callable[[], bytes]) -> bytes:
    """What `compile` returns, which is called only if it is not kept.

    Args:
        name: The kernel's, with its dtype.
        compile: Makes the code.
    """
    root = cache_root()
    path = None if root is None else root / f"{name}-{_fingerprint()}.o"
    code = None if path is None else _read(path)
    if code is None:
        code = compile()
        if path is not None:
            with suppress(OSError):  # a full disk: it is compiled again the next time
                _write(path, code)
    return code


def is_kept(name: str) -> bool:
    """Whether a kernel need not be compiled."""
    root = cache_root()
    return root is not None and (root / f"{name}-{_fingerprint()}.o").is_file()


def _read(path: Path) -> bytes | None:
    """The code in a file; None if there is none, or it is not as it was written."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    seal, code = content[:32], content[32:]
    return code if hashlib.sha256(code).digest() == seal else None


def _write(path: Path, code: bytes) -> None:
    descriptor, fresh = tempfile.mkstemp(prefix=f".{path.name}", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(code).digest() + code)
        os.replace(fresh, path)
    except OSError:
        with suppress(FileNotFoundError):
            os.unlink(fresh)
        raise


@cache
def cache_root() -> Path | None:
    """A folder that is this user's alone, because what lies there is run; None if there is none to write in."""
    for root in _candidates():
        with suppress(OSError):
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = root.lstat()
            is_private = found.st_uid == os.getuid() and not found.st_mode & 0o022
            if is_private and not root.is_symlink() and os.access(root, os.W_OK | os.X_OK):
                return root
    return None


def _candidates() -> Iterator[Path]:
    if os.environ.get("XDG_CACHE_HOME"):
        yield Path(os.environ["XDG_CACHE_HOME"]) / "regcore" / "kernels"
    with suppress(RuntimeError):  # a user without a home
        yield Path.home() / ".cache" / "regcore" / "kernels"
    yield Path(tempfile.gettempdir()) / f"regcore-kernels-{os.getuid()}"


@cache
def _fingerprint() -> str:
    """A digest of all that the code depends on."""
    digest = hashlib.sha256(machine_name().encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
