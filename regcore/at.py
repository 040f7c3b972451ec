"""Where in a run a computation stands. All randomness is drawn from here, and has no state."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from regcore.streams import stream_seed

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class At:
    """A step of a run of K members.

    A stream of random numbers starts from a hash of the member's seed, the purpose and this place, so that no generator
    has a state to save, and no member's numbers depend on the others.

    Attributes:
        step: Optimizer steps already taken, from 0.
        steps_per_epoch: Optimizer steps in an epoch.
        num_steps: Optimizer steps in the whole run.
        seeds: Each member's seed.
        training: Whether stochastic parts act.
        micro: Which part of an accumulated step, from 0.
        draws: Which of several forward passes over the same rows; empty for the first.
    """

    step: int
    steps_per_epoch: int
    num_steps: int
    seeds: tuple[int, ...] = ()
    training: bool = True
    micro: int = 0
    draws: tuple[str | int, ...] = ()

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return self.step // self.steps_per_epoch

    def again(self, *words: str | int) -> At:
        """The same place, with draws of its own: for another pass over the same rows."""
        return replace(self, draws=self.draws + words)

    def streams(self, *purpose: str | int) -> list[int]:
        """The seed of each member's stream for one purpose, here."""
        return [stream_seed(seed, *purpose, self.step, self.micro, *self.draws) for seed in self.seeds]

    def uniform(self, shape: Sequence[int], like: Tensor, *purpose: str | int) -> Tensor:
        """(K, *shape) in [0, 1), in float64 on the device of `like`, each member from its own stream."""
        import torch

        drawn = torch.empty(len(self.seeds), *shape, dtype=torch.float64, device=like.device)
        stream = torch.Generator(like.device)
        for member, seed in zip(drawn, self.streams(*purpose), strict=True):
            member.uniform_(generator=stream.manual_seed(seed))
        return drawn

    def normal(self, shape: Sequence[int], like: Tensor, *purpose: str | int) -> Tensor:
        """(K, *shape) of mean 0 and variance 1, in the dtype and on the device of `like`."""
        import torch

        drawn = torch.empty(len(self.seeds), *shape, dtype=like.dtype, device=like.device)
        stream = torch.Generator(like.device)
        for member, seed in zip(drawn, self.streams(*purpose), strict=True):
            member.normal_(generator=stream.manual_seed(seed))
        return drawn

    def integers(self, num_values: int, like: Tensor, *purpose: str | int) -> Tensor:
        """(K, num_values) in [−2³¹, 2³¹) as int32 on the device of `like`: several times faster than `uniform`."""
        import torch

        bits = torch.empty(len(self.seeds), -(-num_values // 2), dtype=torch.int64, device=like.device)
        stream = torch.Generator(like.device)
        for member, seed in zip(bits, self.streams(*purpose), strict=True):
            member.random_(-(2**63), None, generator=stream.manual_seed(seed))
        return bits.view(torch.int32)[:, :num_values]

    def chosen(self, p: Sequence[float], shape: Sequence[int], like: Tensor, *purpose: str | int) -> Tensor:
        """Bernoulli(p) as booleans, (K, *shape), each member with its own p; none at 0, and all at 1."""
        import torch

        drawn = self.integers(math.prod(shape), like, *purpose)
        reach = torch.tensor([[min(round(each * 2**32), 2**32 - 1) - 2**31] for each in p], dtype=torch.int32)
        chosen = drawn < reach.to(like.device)
        for member, each in zip(chosen, p, strict=True):
            if each == 1:  # the largest integer is no smaller than any reach
                member.fill_(True)
        return chosen.view(len(p), *shape)

    def kept(self, p: Sequence[float], shape: Sequence[int], like: Tensor, *purpose: str | int) -> Tensor:
        """m/(1 − p) with m ~ Bernoulli(1 − p), each member from its own stream.

        A value is kept if 32 random bits, as an integer, reach p · 2³²; this is several times faster than `bernoulli_`.

        Args:
            p: The probability of a zero, for each member.
            shape: Without the member axis; its first axis is of rows.
            like: Gives the device, and the dtype, of at least float32: in bfloat16, 1/(1 − p) is up to 0.4 % off.
            purpose: Names the stream.

        Returns:
            (K, *shape), with the rows last in memory, as a stacked linear layer has them. On a CPU a shape with more
            along its second axis begins with the same numbers.
        """
        import torch

        rows = shape[0]
        drawn = self.integers(math.prod(shape), like, *purpose)
        reach = torch.tensor([[min(round(each * 2**32), 2**32 - 1) - 2**31] for each in p], dtype=torch.int32)
        mask = (drawn >= reach.to(like.device)).to(torch.promote_types(like.dtype, torch.float32))
        mask.mul_(mask.new_tensor([[1 / (1 - each)] for each in p]))
        return mask.view(len(p), *shape[1:], rows).movedim(-1, 1)

    @contextlib.contextmanager
    def seeded(self, member: int, *purpose: str | int) -> Iterator[None]:
        """torch's global generator at the start of a member's stream, for modules that can draw from no other.

        It takes 0.2 ms: only for modules that draw.
        """
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.random.manual_seed(self.streams(*purpose)[member])
            yield
