"""How far a convex problem is from its minimum, and the ℓ₁ strength beyond which its minimum has no weights.

A linear model under ℓ₁ and ℓ₂ penalties is a convex problem, and its minimum is known by the Karush-Kuhn-Tucker
conditions: with g the gradient of mean loss + (λ₂/2)‖w‖², every zero weight has |g| ≤ λ₁, every other g = −λ₁·sign(w).

Source: Hastie, Tibshirani & Wainwright 2015, Statistical Learning with Sparsity, §2.3 and §5.2.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from regcore.data.prepared import PreparedData
from regcore.data.rows import Rows, chunks
from regcore.loop.network import EVAL_CHUNK_ROWS, StackedNetwork
from regcore.plan import Plan
from regcore.tasks import Task

_MAX_NEWTON_STEPS: Final = 100
_MAX_KEPT_VALUES: Final = 2**26
"""The most numbers of the train split that are kept, half a gigabyte; of more, each look at them reads them again."""


@dataclass(frozen=True)
class Optimality:
    """The optimality of one member; all None if its problem is not convex.

    Attributes:
        kkt_residual: Largest violation of the optimality conditions over all parameters, in units of the gradient.
        l1_max: Smallest ℓ₁ strength at which the minimum has no weights; also None unless an ℓ₁ penalty is on all
            weights and nothing shrinks the intercept.
    """

    kkt_residual: float | None = None
    l1_max: float | None = None


def is_convex(plan: Plan) -> bool:
    """Whether the objective is convex in the weights, and the same at every step."""
    optimizer = plan.resolved_spec.optimizer
    matrix = (plan.num_outputs, plan.row.num_values)  # of one layer that sees whole rows
    return (
        all(layer.is_affine for layer in plan.layers)
        and [parameter.shape for parameter in plan.parameters if parameter.role == "weight"] == [matrix]
        and all(penalty.strengths is not None for penalty in plan.resolved_spec.regularizers)
        and all(getattr(optimizer, name) == 0 for name in optimizer.decays)
    )


def optimality(plans: Sequence[Plan], network: StackedNetwork, data: PreparedData, task: Task) -> list[Optimality]:
    """The optimality of each member's weights for the whole train split."""
    if not any(is_convex(plan) for plan in plans):
        return [Optimality() for _ in plans]
    rows = _TrainRows(data.train, task, network.device)
    # It depends only on the data, so members share it.
    l1_max = _l1_max(network, rows, task) if any(_has_l1_max(plan) for plan in plans) else None
    found = []
    for k, plan in enumerate(plans):
        parameters = {name: weight.detach()[k].double() for name, weight in network.tensors.items()}
        residual = _kkt_residual(parameters, plan, rows, task) if is_convex(plan) else None
        found.append(Optimality(residual, l1_max if _has_l1_max(plan) else None))
    return found


def _strengths(plan: Plan) -> tuple[dict[str, float], dict[str, float]]:
    """λ₁ and λ₂ of each parameter, summed over the penalties."""
    l1 = dict.fromkeys([parameter.name for parameter in plan.parameters], 0.0)
    l2 = dict(l1)
    for penalty, planned in zip(plan.resolved_spec.regularizers, plan.regularizers, strict=True):
        strengths = penalty.strengths
        assert strengths is not None, "the penalties of a convex problem are known"
        for name in planned.parameters:
            l1[name] += strengths.l1
            l2[name] += strengths.l2
    return l1, l2


def _has_l1_max(plan: Plan) -> bool:
    """Whether a convex problem has an ℓ₁ penalty on all weights, and an intercept that nothing shrinks."""
    if not is_convex(plan) or not _has_l1_on_weights(plan):
        return False
    _, l2 = _strengths(plan)
    return not any(l2[name] for name in l2 if name.endswith(".bias"))


def _has_l1_on_weights(plan: Plan) -> bool:
    """Whether ℓ₁ penalties of any strength touch all weights and no bias: the same for all points of a path."""
    touched = {
        name
        for penalty, planned in zip(plan.resolved_spec.regularizers, plan.regularizers, strict=True)
        for name in planned.parameters
        if penalty.thresholds
    }
    return touched == {parameter.name for parameter in plan.parameters if parameter.name.endswith(".weight")}


class _TrainRows:
    """The train split in chunks, features and targets; kept in double precision if it is small.

    Args:
        rows: The split.
        task: Says what is predicted.
        device: Where its rows are.
    """

    def __init__(self, rows: Rows, task: Task, device: torch.device) -> None:
        self._rows = rows
        self._task = task
        self._device = device
        self._kept: list[tuple[Tensor, Tensor]] | None = None
        if len(rows) * rows.info.num_values <= _MAX_KEPT_VALUES:
            self._kept = list(self._read())

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return self._read() if self._kept is None else iter(self._kept)

    def _read(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(B, numbers) in float64, and targets, (1, B, ...)."""
        for batch in map(self._task.targets, chunks(self._rows, EVAL_CHUNK_ROWS, self._device)):
            yield batch.x[0].flatten(1).double(), batch.y


def _gradients(parameters: Mapping[str, Tensor], rows: _TrainRows, task: Task) -> tuple[Tensor, dict[str, Tensor]]:
    """The mean loss over all rows, and its gradient by those parameters that ask for one."""
    wanted = {name: value for name, value in parameters.items() if value.requires_grad}
    total, gradients = torch.zeros((), dtype=torch.float64), {name: torch.zeros_like(w) for name, w in wanted.items()}
    (weight,) = (value for name, value in parameters.items() if name.endswith(".weight"))
    intercept = sum(value for name, value in parameters.items() if name.endswith(".bias"))
    for x, y in rows:
        with torch.enable_grad():
            outputs = x @ weight.mT + intercept
            loss = task.row_losses(outputs.unsqueeze(0), y).sum() / len(rows)
            found = torch.autograd.grad(loss, list(wanted.values()), allow_unused=True)
        total = total + loss.detach().cpu()
        for name, gradient in zip(wanted, found, strict=True):
            gradients[name] += gradient
    return total, gradients


def _kkt_residual(parameters: Mapping[str, Tensor], plan: Plan, rows: _TrainRows, task: Task) -> float | None:
    l1, l2 = _strengths(plan)
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    _, gradients = _gradients(leaves, rows, task)
    worst = 0.0
    for name, value in parameters.items():
        smooth = gradients[name] + l2[name] * value
        at_zero = (smooth.abs() - l1[name]).clamp(min=0)
        violation = torch.where(value == 0, at_zero, (smooth + l1[name] * value.sign()).abs())
        if not torch.isfinite(violation).all():
            return None
        worst = max(worst, float(violation.max()))
    return worst


def _l1_max(network: StackedNetwork, rows: _TrainRows, task: Task) -> float | None:
    """‖∇ mean loss‖_∞ at zero weights and the best intercept for these."""
    parameters = {name: torch.zeros_like(weight.detach()[0]).double() for name, weight in network.tensors.items()}
    for name in parameters:
        if not name.endswith(".bias"):
            continue
        parameters[name] = _best_intercept(parameters, name, rows, task)
    (name,) = (name for name in parameters if name.endswith(".weight"))
    parameters[name].requires_grad_()
    gradient = _gradients(parameters, rows, task)[1][name]
    return float(gradient.abs().max()) if torch.isfinite(gradient).all() else None


def _best_intercept(parameters: Mapping[str, Tensor], name: str, rows: _TrainRows, task: Task) -> Tensor:
    """The minimum over the intercept alone: a small smooth convex problem."""
    intercept = parameters[name].clone().requires_grad_()
    solver = torch.optim.LBFGS(
        [intercept], max_iter=_MAX_NEWTON_STEPS, tolerance_grad=1e-12, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        loss, gradients = _gradients({**parameters, name: intercept}, rows, task)
        intercept.grad = gradients[name]
        return loss

    solver.step(objective)  # type: ignore[no-untyped-call]  # torch leaves it without annotations
    return intercept.detach()
