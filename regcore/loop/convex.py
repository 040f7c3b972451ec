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
from regcore.layers import Flatten, Linear
from regcore.loop.losses import RowLosses
from regcore.loop.network import StackedNetwork
from regcore.plan import Plan
from regcore.regularizers import Regularizer
from regcore.regularizers.elastic_net import ElasticNet
from regcore.regularizers.l1 import L1
from regcore.regularizers.l2 import L2

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
    penalties = plan.resolved_spec.regularizers
    return all(isinstance(layer, Flatten | Linear) for layer in plan.layers) and (
        sum(isinstance(layer, Linear) for layer in plan.layers) == 1
        and all(isinstance(penalty, L1 | L2 | ElasticNet) and _is_constant(penalty) for penalty in penalties)
        and getattr(plan.resolved_spec.optimizer, "weight_decay", 0) == 0
    )


def optimality(
    plans: Sequence[Plan], network: StackedNetwork, data: PreparedData, losses: RowLosses
) -> list[Optimality]:
    """The optimality of each member's weights for the whole train split."""
    if not any(is_convex(plan) for plan in plans):
        return [Optimality() for _ in plans]
    x, y = data.train.x.flatten(1).double(), data.train.y
    # It depends only on the data, so members share it.
    l1_max = _l1_max(network, x, y, losses) if any(_has_l1_max(plan) for plan in plans) else None
    found = []
    for k, plan in enumerate(plans):
        parameters = {name: weight.detach()[k].double() for name, weight in network.weights.items()}
        residual = _kkt_residual(parameters, plan, x, y, losses) if is_convex(plan) else None
        found.append(Optimality(residual, l1_max if _has_l1_max(plan) else None))
    return found


def _is_constant(penalty: Regularizer) -> bool:
    schedule = getattr(penalty, "schedule", None)
    return schedule is None or (schedule.kind == "constant" and schedule.warmup_epochs == 0)


def _strengths(plan: Plan) -> tuple[dict[str, float], dict[str, float]]:
    """λ₁ and λ₂ of each parameter, summed over the penalties."""
    l1 = dict.fromkeys([parameter.name for parameter in plan.parameters], 0.0)
    l2 = dict(l1)
    for penalty, planned in zip(plan.resolved_spec.regularizers, plan.regularizers, strict=True):
        for name in planned.parameters:
            match penalty:
                case L1():
                    l1[name] += penalty.strength
                case L2():
                    l2[name] += penalty.strength
                case ElasticNet():
                    l1[name] += penalty.l1
                    l2[name] += penalty.l2
    return l1, l2


def _has_l1_max(plan: Plan) -> bool:
    """Whether a convex problem has an ℓ₁ penalty on all weights, and an intercept that nothing shrinks."""
    _, l2 = _strengths(plan)
    return is_convex(plan) and _has_l1_on_weights(plan) and not any(l2[name] for name in l2 if name.endswith(".bias"))


def _has_l1_on_weights(plan: Plan) -> bool:
    """Whether ℓ₁ penalties of any strength touch all weights and no bias: the same for all points of a path."""
    touched = {
        name
        for penalty, planned in zip(plan.resolved_spec.regularizers, plan.regularizers, strict=True)
        for name in planned.parameters
        if isinstance(penalty, L1 | ElasticNet)
    }
    return touched == {parameter.name for parameter in plan.parameters if parameter.name.endswith(".weight")}


def _mean_loss(parameters: Mapping[str, Tensor], x: Tensor, y: Tensor, losses: RowLosses) -> Tensor:
    (weight,) = (value for name, value in parameters.items() if name.endswith(".weight"))
    outputs = x @ weight.mT + sum(value for name, value in parameters.items() if name.endswith(".bias"))
    return losses(outputs.unsqueeze(0), y.unsqueeze(0)).mean()


def _kkt_residual(
    parameters: Mapping[str, Tensor], plan: Plan, x: Tensor, y: Tensor, losses: RowLosses
) -> float | None:
    l1, l2 = _strengths(plan)
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    with torch.enable_grad():
        gradients = torch.autograd.grad(_mean_loss(leaves, x, y, losses), list(leaves.values()))
    worst = 0.0
    for (name, value), gradient in zip(parameters.items(), gradients, strict=True):
        smooth = gradient + l2[name] * value
        at_zero = (smooth.abs() - l1[name]).clamp(min=0)
        violation = torch.where(value == 0, at_zero, (smooth + l1[name] * value.sign()).abs())
        if not torch.isfinite(violation).all():
            return None
        worst = max(worst, float(violation.max()))
    return worst


def _l1_max(network: StackedNetwork, x: Tensor, y: Tensor, losses: RowLosses) -> float | None:
    """‖∇ mean loss‖_∞ at zero weights and the best intercept for these."""
    parameters = {name: torch.zeros_like(weight.detach()[0]).double() for name, weight in network.weights.items()}
    for name in parameters:
        if not name.endswith(".bias"):
            continue
        parameters[name] = _best_intercept(parameters, name, x, y, losses)
    (name,) = (name for name in parameters if name.endswith(".weight"))
    parameters[name].requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(_mean_loss(parameters, x, y, losses), [parameters[name]])
    return float(gradient.abs().max()) if torch.isfinite(gradient).all() else None


def _best_intercept(parameters: Mapping[str, Tensor], name: str, x: Tensor, y: Tensor, losses: RowLosses) -> Tensor:
    """The minimum over the intercept alone: a small smooth convex problem."""
    intercept = parameters[name].clone().requires_grad_()
    solver = torch.optim.LBFGS(
        [intercept], max_iter=_MAX_NEWTON_STEPS, tolerance_grad=1e-12, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        solver.zero_grad()
        loss = _mean_loss({**parameters, name: intercept}, x, y, losses)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it without annotations
        return loss

    with torch.enable_grad():
        solver.step(objective)  # type: ignore[no-untyped-call]  # torch leaves it without annotations
    return intercept.detach()
