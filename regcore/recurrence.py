"""Recurrent networks as plain torch modules that take lengths: LSTM, GRU and Elman's.

Their outputs are those of a packed sequence: the backward direction begins at each row's own last step. Padded and
masked they take a fourth of the time of packed ones.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

import torch
from torch import Tensor, nn

from regcore.modules import in_use

_TENSORS_OF_A_DIRECTION: Final = 4
"""weight_ih, weight_hh, bias_ih, bias_hh."""


class Recurrence(nn.RNNBase):
    """What `torch.nn.RNNBase` computes, at all steps, zero where a row has no step."""

    takes_lengths: ClassVar[bool] = True

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, steps, features) to (B, steps, hidden), or twice as many features if bidirectional."""
        weights: list[Tensor] = [getattr(self, name) for name in self._flat_weights_names]
        if lengths is None:
            return self._run(x, weights, self.num_layers, bidirectional=self.bidirectional)
        is_used = in_use(lengths, x.shape[1]).unsqueeze(2)
        if not self.bidirectional:
            return self._run(x, weights, self.num_layers) * is_used
        # What is not in use comes after what is, in both directions: a row is reversed within its length.
        steps = torch.arange(x.shape[1], dtype=torch.int64, device=x.device)
        places = torch.where(is_used.squeeze(2), lengths.unsqueeze(1) - 1 - steps, steps).unsqueeze(2)
        for first in range(0, len(weights), 2 * _TENSORS_OF_A_DIRECTION):
            middle, end = first + _TENSORS_OF_A_DIRECTION, first + 2 * _TENSORS_OF_A_DIRECTION
            forward = self._run(x, weights[first:middle], 1)
            backward = self._run(x.take_along_dim(places, 1), weights[middle:end], 1).take_along_dim(places, 1)
            x = torch.cat([forward, backward], dim=2)
        return x * is_used

    def _run(self, x: Tensor, weights: Sequence[Tensor], num_layers: int, *, bidirectional: bool = False) -> Tensor:
        """Some of its layers and directions, over all steps."""
        state = x.new_zeros(num_layers * (1 + bidirectional), len(x), weights[1].shape[1])
        outputs: Tensor
        outputs, *_ = self._kernel(
            x,
            self._state(state),
            list(weights),
            has_biases=True,
            num_layers=num_layers,
            dropout=0.0,
            train=torch.is_grad_enabled(),
            bidirectional=bidirectional,
            batch_first=True,
        )
        return outputs

    @property
    @abstractmethod
    def _kernel(self) -> Callable[..., Any]:
        """torch's function of this kind of cell."""

    def _state(self, zeros: Tensor) -> Any:
        return zeros


class Lstm(Recurrence, nn.LSTM):  # type: ignore[misc]  # another signature: a plain module takes rows and lengths
    """`torch.nn.LSTM`."""

    _kernel = staticmethod(torch.lstm)

    def _state(self, zeros: Tensor) -> tuple[Tensor, Tensor]:
        return zeros, zeros


class Gru(Recurrence, nn.GRU):  # type: ignore[misc]  # as above
    """`torch.nn.GRU`."""

    _kernel = staticmethod(torch.gru)


class Elman(Recurrence, nn.RNN):  # type: ignore[misc]  # as above
    """`torch.nn.RNN`."""

    @property
    def _kernel(self) -> Callable[..., Any]:
        return torch.rnn_tanh if self.nonlinearity == "tanh" else torch.rnn_relu
