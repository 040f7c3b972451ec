"""K networks of one shape as one: every parameter has a leading member axis."""

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from regcore.layers import Activation, AnyLayer, LayerContext, build_module, walk_shapes
from regcore.plan import Plan
from regcore.streams import generator

EVAL_CHUNK_ROWS = 8192

OnActivation = Callable[[str, Tensor], None]
"""Called with the label of a layer with parameters and the output of the non-linearity after it, (K, B, ...)."""


@dataclass(frozen=True, eq=False)
class _Stage:
    """One layer of all members, with its weights. The tensors change only in place, so this is made once.

    Attributes:
        fed_by: For a non-linearity, the label of the layer with parameters before it.
    """

    label: str
    layer: AnyLayer
    members: Sequence[AnyLayer]
    weights: dict[str, Tensor]
    fed_by: str | None


class StackedNetwork:
    """The stacked weights of K members, and their forward pass.

    Args:
        plans: One per member; their layers agree in kinds and shapes.
        dtype: Of the weights.
        device: Where the weights are.
        autocast: Whether matrix products run in bfloat16.

    Attributes:
        weights: By name, `{layer}.{parameter}`, each (K, *shape); leaves that require gradients.
    """

    def __init__(self, plans: Sequence[Plan], *, dtype: torch.dtype, device: torch.device, autocast: bool) -> None:
        self.seeds = [plan.resolved_spec.training.seed for plan in plans]
        self.input_shape = plans[0].input_shape
        self.device = device
        self._autocast = autocast
        walk = list(walk_shapes(plans[0].layers, self.input_shape))
        self._members = list(zip(*(plan.layers for plan in plans), strict=True))
        self.weights: dict[str, Tensor] = {}
        for label, layer, seen in walk:
            for parameter in layer.parameter_shapes(seen):
                first = [
                    layer.initialise(parameter, seen, generator(seed, "initialisation", label, parameter))
                    for seed in self.seeds
                ]
                stacked = torch.stack(first).to(device=device, dtype=dtype)
                self.weights[f"{label}.{parameter}"] = stacked.requires_grad_()
        self._walk = walk
        self._stages = self._make_stages()

    def _make_stages(self) -> list[_Stage]:
        stages: list[_Stage] = []
        last: str | None = None
        for (label, layer, seen), members in zip(self._walk, self._members, strict=True):
            weights = {name: self.weights[f"{label}.{name}"] for name in layer.parameter_shapes(seen)}
            last = label if weights else last
            stages.append(_Stage(label, layer, members, weights, last if isinstance(layer, Activation) else None))
        return stages

    @property
    def num_members(self) -> int:
        """K."""
        return len(self.seeds)

    def select(self, positions: Sequence[int]) -> "StackedNetwork":
        """A network of some of the members, with copies of their weights."""
        part = copy.copy(self)
        rows = torch.tensor(list(positions), dtype=torch.int64, device=self.device)
        part.seeds = [self.seeds[position] for position in positions]
        part._members = [tuple(members[position] for position in positions) for members in self._members]
        part.weights = {
            name: weight.detach().index_select(0, rows).requires_grad_() for name, weight in self.weights.items()
        }
        part._stages = part._make_stages()
        return part

    def forward(
        self,
        x: Tensor,
        *,
        training: bool,
        step: int = 0,
        micro_batch: int = 0,
        on_activation: OnActivation | None = None,
    ) -> Tensor:
        """Outputs of every member.

        Args:
            x: (K, B, *input_shape), or (1, B, *input_shape) if all members see the same rows.
            training: Whether stochastic layers act.
            step: Which step's masks to draw.
            micro_batch: Which part of an accumulated step this is.
            on_activation: Called with activations; None for no call.

        Returns:
            (K, B, outputs).
        """
        with self._precision():
            for stage in self._stages:
                context = LayerContext(stage.label, training, stage.members, self.seeds, step, micro_batch)
                x = stage.layer.forward(x, stage.weights, context)
                if on_activation is not None and stage.fed_by is not None:
                    on_activation(stage.fed_by, x)
        return x

    @torch.no_grad()
    def predict(self, x: Tensor, on_activation: OnActivation | None = None) -> Tensor:
        """Outputs in evaluation mode for all rows, (K, N, outputs), in chunks that bound the memory."""
        num_rows = max(1, EVAL_CHUNK_ROWS // self.num_members)
        return torch.cat(
            [
                self.forward(rows.unsqueeze(0), training=False, on_activation=on_activation)
                for rows in torch.split(x, num_rows)
            ],
            dim=1,
        )

    def member_state(self, member: int) -> dict[str, Tensor]:
        """One member's parameters, without the member axis, on the CPU."""
        return {name: weight.detach()[member].cpu().clone() for name, weight in self.weights.items()}

    def module(self, member: int) -> nn.Sequential:
        """One member as a plain torch module, in evaluation mode."""
        layers = [members[member] for members in self._members]
        with torch.device("meta"):  # without drawing initial weights
            module = build_module(layers, self.input_shape)
        module.load_state_dict(self.member_state(member), assign=True)
        return module.eval()

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, dtype=torch.bfloat16) if self._autocast else nullcontext()
