"""How far a convex problem is from its minimum, and the ℓ₁ strength beyond which its minimum has no weights.

A linear model under ℓ₁ and ℓ₂ penalties is a convex problem, and its minimum is known by the Karush-Kuhn-Tucker
conditions: with g the gradient of mean loss + (λ₂/2)‖w‖², every zero weight has |g| ≤ λ₁, every other g = −λ₁·sign(w).

Source: Hastie, Tibshirani & Wainwright 2015, Statistical Learning with Sparsity, §2.3 and §5.2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from regcore.data.prepare import PreparedData
from regcore.loop.network import StackedNetwork
from regcore.plan import Plan
from regcore.tasks import Task

_MAX_NEWTON_STEPS: Final = 100


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
    x, y = data.train.x.flatten(1).double(), data.train.y
    # It depends only on the data, so members share it.
    l1_max = _l1_max(network, x, y, task) if any(_has_l1_max(plan) for plan in plans) else None
    found = []
    for k, plan in enumerate(plans):
        parameters = {name: weight.detach()[k].double() for name, weight in network.tensors.items()}
        residual = _kkt_residual(parameters, plan, x, y, task) if is_convex(plan) else None
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


def _mean_loss(parameters: Mapping[str, Tensor], x: Tensor, y: Tensor, task: Task) -> Tensor:
    (weight,) = (value for name, value in parameters.items() if name.endswith(".weight"))
    outputs = x @ weight.mT + sum(value for name, value in parameters.items() if name.endswith(".bias"))
    return task.row_losses(outputs.unsqueeze(0), y.unsqueeze(0)).mean()


def _kkt_residual(parameters: Mapping[str, Tensor], plan: Plan, x: Tensor, y: Tensor, task: Task) -> float | None:
    l1, l2 = _strengths(plan)
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    with torch.enable_grad():
        gradients = torch.autograd.grad(_mean_loss(leaves, x, y, task), list(leaves.values()))
    worst = 0.0
    for (name, value), gradient in zip(parameters.items(), gradients, strict=True):
        smooth = gradient + l2[name] * value
        at_zero = (smooth.abs() - l1[name]).clamp(min=0)
        violation = torch.where(value == 0, at_zero, (smooth + l1[name] * value.sign()).abs())
        if not torch.isfinite(violation).all():
            return None
        worst = max(worst, float(violation.max()))
    return worst


def _l1_max(network: StackedNetwork, x: Tensor, y: Tensor, task: Task) -> float | None:
    """‖∇ mean loss‖_∞ at zero weights and the best intercept for these."""
    parameters = {name: torch.zeros_like(weight.detach()[0]).double() for name, weight in network.tensors.items()}
    for name in parameters:
        if not name.endswith(".bias"):
            continue
        parameters[name] = _best_intercept(parameters, name, x, y, task)
    (name,) = (name for name in parameters if name.endswith(".weight"))
    parameters[name].requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(_mean_loss(parameters, x, y, task), [parameters[name]])
    return float(gradient.abs().max()) if torch.isfinite(gradient).all() else None


def _best_intercept(parameters: Mapping[str, Tensor], name: str, x: Tensor, y: Tensor, task: Task) -> Tensor:
    """The minimum over the intercept alone: a small smooth convex problem."""
    intercept = parameters[name].clone().requires_grad_()
    solver = torch.optim.LBFGS(
        [intercept], max_iter=_MAX_NEWTON_STEPS, tolerance_grad=1e-12, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        solver.zero_grad()
        loss = _mean_loss({**parameters, name: intercept}, x, y, task)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it without annotations
        return loss

    with torch.enable_grad():
        solver.step(objective)  # type: ignore[no-untyped-call]  # torch leaves it without annotations
    return intercept.detach()
