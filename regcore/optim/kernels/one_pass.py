"""A step of all weights by kernels: the tables that they walk over, and in how many threads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor

from regcore.at import At
from regcore.optim.elementwise import NOTHING, Elementwise, Numbers, times
from regcore.optim.kernels.library import DTYPES, Kernel, load
from regcore.optim.kernels.table import (
    BLOCK,
    FLOOR,
    GRADIENT,
    KEEP,
    MASK,
    NUM_ADDRESSES,
    NUM_PARTS,
    PULL,
    PUSH,
    ROOT,
    SHRINK,
    SLOT,
    WEIGHT,
)

if TYPE_CHECKING:
    from regcore.optim.base import Update

NUM_BLOCKS_OF_A_THREAD: Final = 128
"""A tenth of a millisecond's work: to wake a thread for less takes longer."""
_PARTS: Final = (("push", PUSH, 0.0), ("pull", PULL, 0.0), ("keeps", KEEP, 1.0), ("floor", FLOOR, -math.inf))
"""The place of each coefficient, and the number that changes nothing."""
_NO_SHRINK: Final = -1.0


def one_pass(update: Update, weights: Mapping[str, Tensor]) -> OnePass | None:
    """The step of these weights; None where they are not in the processor's memory, or there are no kernels."""
    dtypes = {str(weight.dtype).removeprefix("torch.") for weight in weights.values()}
    if len(dtypes) != 1 or not dtypes <= set(DTYPES):
        return None
    if any(weight.device.type != "cpu" or not weight.is_contiguous() for weight in weights.values()):
        return None
    kernels = [kernel for name in update.kernels if (kernel := load(name, *dtypes)) is not None]
    return OnePass(update, weights, kernels) if kernels and len(kernels) == len(update.kernels) else None


class OnePass:
    """A step of all weights of K members.

    Tensors are changed in place alone, so that their addresses stay; gradients are new in each step. Coefficients are
    filled in again where they have changed.

    Args:
        update: The optimizer.
        weights: All that it moves, by name, each (K, ...), in one dtype.
        kernels: Its kernels, in their order.
    """

    def __init__(self, update: Update, weights: Mapping[str, Tensor], kernels: Sequence[Kernel]) -> None:
        self._update = update
        self._weights = weights
        self._kernels = kernels
        self._dtype = next(iter(weights.values())).dtype
        self._slots = [[update.tensors_of(slot)[name] for name in weights] for slot in update.kernel_slots]
        # Between two kernels torch computes the root of the first slot.
        self._roots = [torch.empty_like(square) for square in self._slots[0]] if len(kernels) > 1 else []
        self._known: tuple[Mapping[str, Elementwise] | None, Numbers] = (None, ())
        self._masks: list[Tensor] = []
        self._copies_masks = False
        self._pool: ThreadPoolExecutor | None = None
        self._lay_out()

    def step(self, gradients: Mapping[str, Tensor], elementwise: Mapping[str, Elementwise], at: At) -> None:
        """Move all weights, in place; gradients stay as they are."""
        rates = self._update.rates(at)
        is_known = self._known[0] is elementwise and self._known[1] is rates
        if not is_known:
            self._fill_parts(elementwise, at)
            self._known = (None, ()) if self._copies_masks else (elementwise, rates)
        if not is_known or self._update.differs_by_step:
            self._fill_own(elementwise, rates, at)
        used = [self._usable(gradients[name]) for name in self._weights]
        self._addresses[:, GRADIENT] = [gradient.data_ptr() for gradient in used]
        self._run(self._kernels[0])
        for kernel in self._kernels[1:]:
            for square, root in zip(self._slots[0], self._roots, strict=True):
                torch.sqrt(square, out=root)
            self._run(kernel)

    def _lay_out(self) -> None:
        """Make the tables."""
        num_weights, num_members = len(self._weights), len(self._update.members)
        number = np.dtype(str(self._dtype).removeprefix("torch."))
        self._addresses = np.zeros((num_weights, NUM_ADDRESSES), np.int64)
        columns = {WEIGHT: list(self._weights.values()), ROOT: self._roots, **dict(enumerate(self._slots, SLOT))}
        for place, tensors in columns.items():
            if tensors:
                self._addresses[:, place] = [tensor.data_ptr() for tensor in tensors]
        self._sizes = np.array([weight[0].numel() for weight in self._weights.values()], np.int64)
        self._starts = np.cumsum([0, *(num_members * -(-self._sizes // BLOCK))])
        self._parts = np.zeros((num_weights, num_members, NUM_PARTS), number)
        self._own = np.zeros((num_weights, num_members, self._update.num_kernel_numbers), number)
        self._num_blocks = int(self._starts[-1])
        # One for each thread that could be.
        self._scratch = np.zeros((1 + self._num_blocks // NUM_BLOCKS_OF_A_THREAD, 2, BLOCK), number)
        tables = (self._addresses, self._sizes, self._starts, self._parts, self._own)
        self._places = [table.ctypes.data for table in tables]
        self._scratch_places = [room.ctypes.data for room in self._scratch]
        self._counts = self._own.shape

    def _fill_parts(self, elementwise: Mapping[str, Elementwise], at: At) -> None:
        """What regularizers do to each weight."""
        self._masks, self._copies_masks = [], False
        own = self._update.elementwise(at)
        for t, (name, weight) in enumerate(self._weights.items()):
            does = elementwise.get(name, NOTHING) & own
            for part, place, nothing in _PARTS:
                numbers = getattr(does, part)
                self._parts[t, :, place] = nothing if numbers is None else numbers
            shrink = does.shrinks
            self._parts[t, :, SHRINK] = _NO_SHRINK if shrink is None else self._update.kernel_shrink(name, shrink, at)
            self._addresses[t, MASK] = 0
            if does.mask is not None:
                mask = self._usable(does.mask.expand_as(weight))
                self._masks.append(mask)
                self._addresses[t, MASK] = mask.data_ptr()
                # A mask may change in place, which a copy of it does not show.
                self._copies_masks |= mask.data_ptr() != does.mask.data_ptr()

    def _fill_own(self, elementwise: Mapping[str, Elementwise], rates: Numbers, at: At) -> None:
        """The optimizer's numbers, with each weight's learning rate."""
        self._own[:] = np.transpose(self._update.kernel_numbers(rates, at))
        for t, name in enumerate(self._weights):
            factor = elementwise.get(name, NOTHING).rate
            if factor is not None:
                self._own[t] = np.transpose(self._update.kernel_numbers(times(rates, factor), at))

    def _usable(self, tensor: Tensor) -> Tensor:
        """A gradient or a mask as the kernels read it."""
        if tensor.dtype is self._dtype and tensor.is_contiguous():
            return tensor
        return tensor.to(self._dtype).contiguous()

    def _run(self, kernel: Kernel) -> None:
        """Walk over all blocks, in as many threads as torch may use; bits do not depend on their number."""
        num_parts = max(1, min(torch.get_num_threads(), self._num_blocks // NUM_BLOCKS_OF_A_THREAD))
        if num_parts == 1:
            self._run_part(kernel, 0, 1)
            return
        if self._pool is None:  # its threads end with this object
            self._pool = ThreadPoolExecutor(num_parts - 1, thread_name_prefix="regcore-kernel")
        others = [self._pool.submit(self._run_part, kernel, part, num_parts) for part in range(1, num_parts)]
        self._run_part(kernel, 0, num_parts)
        for other in others:
            other.result()

    def _run_part(self, kernel: Kernel, part: int, num_parts: int) -> None:
        first, last = (self._num_blocks * each // num_parts for each in (part, part + 1))
        kernel(*self._places, self._scratch_places[part], *self._counts, first, last)
