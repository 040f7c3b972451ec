"""This machine's processor, as the compiler knows it."""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite
import llvmlite.binding as llvm


@cache
def host_machine() -> Any:
    """What makes code for this processor, with all its instructions."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    cpu, features = _processor()
    return target.create_target_machine(cpu=cpu, features=features, opt=3, jit=True)


def machine_name() -> str:
    """The processor and the compiler, by all that the code depends on."""
    return f"{llvm.get_default_triple()} {' '.join(_processor())} llvmlite {llvmlite.__version__}"


def _processor() -> tuple[str, str]:
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
