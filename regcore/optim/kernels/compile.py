"""From a kernel in Python to machine code, by numba."""

from __future__ import annotations

import importlib
from typing import Any, Final

import llvmlite.binding as llvm
import numba
from numba import types

from regcore.optim.kernels.blocks import walk
from regcore.optim.kernels.machine import host_machine

_NUM_COUNTS: Final = 6


def compile_kernel(module: str, name: str, dtype: str) -> bytes:
    """The object code of a kernel, which exports it by its name and needs no numba any more.

    Args:
        module: Of this package.
        name: The function's.
        dtype: `float32` or `float64`.
    """
    function: Any = getattr(importlib.import_module(f"{__package__}.{module}"), name)
    counts, numbers = types.CPointer(types.int64), types.CPointer(getattr(types, dtype))
    signature = types.void(counts, counts, counts, numbers, numbers, *[types.int64] * _NUM_COUNTS)
    compiled = numba.cfunc(signature, error_model="numpy", boundscheck=False)(walk(function))
    return _object_code(compiled.inspect_llvm(), compiled.native_name, name)


def _object_code(assembly: str, native_name: str, name: str) -> bytes:
    """Machine code of one function of a module, under another name."""
    machine = host_machine()
    module = llvm.parse_assembly(assembly)
    for function in module.functions:
        if function.name == native_name:
            function.name = name
        elif not function.is_declaration:
            function.linkage = "internal"
    # Only over all functions together does it show that none of them raises, and that no code for it is needed.
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
    foreign = [one.name for one in module.functions if one.is_declaration and not one.name.startswith("llvm.")]
    # A kernel that may raise would call numba's functions, which are not there later.
    assert not foreign, f"the kernel {name} calls {', '.join(foreign)}"
    code: bytes = machine.emit_object(module)
    return code
