"""The optimizers' steps as machine code: all that is done to a weight in one pass over memory.

    library.py        a kernel for a dtype, as a function
    compile.py        from Python to machine code, by numba
    cache.py          where machine code is kept between processes
    blocks.py         the walk over memory, and what regularizers do to a block of it
    sgd.py, adaptive.py    each optimizer's own arithmetic

Torch computes `w.mul_(keep).add_(v, alpha=-rate)` by one walk over memory for each operation, and memory is what large
stacks wait for. Here each block of 2,048 numbers is taken through all operations while it is in the processor's cache.
Every rounding is that of torch's operations in `regcore.optim.base.Update.move`, which is the reference, the test's
oracle, and what is computed where there is no numba, or the weights are not on a CPU.

Numba compiles on first use, for seconds. Afterwards the code is read from disk in milliseconds, without numba, whose
import takes a second.
"""

from regcore.optim.kernels.library import Kernel, load, warm

__all__ = ["Kernel", "load", "warm"]
