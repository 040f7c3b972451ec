"""About how long the training passes of a sweep take: an estimate, for choosing how much fits a budget.

The constants were measured on two cores of a server CPU, with one slot and no other work;
`benchmarks/try_verdicts.py` shows how long trials take beside their budget.
"""

import math
from typing import Any, Final

from regcore.layers import walk_all
from regcore.plan import Plan

Json = dict[str, Any]

PASS_S: Final = 0.65
"""To claim, start, load, report and store one pass."""
_STEP_S: Final = 5e-4
_FLOPS_PER_S: Final = 7e10
_EVALUATION_FLOPS_PER_S: Final = 5e10
_PARAMETER_S: Final = 4e-9
"""To update one weight once."""
_VALUE_S: Final = 1e-9
"""To compute and differentiate one activation."""
_ROW_VALUE_S: Final = 2e-8
"""To read, encode and scale one value of the data."""


def pass_duration_s(plan: Plan, *, num_members: int, num_steps: int, batch_size: int, num_evaluations: int) -> float:
    """About how long one pass takes.

    Args:
        plan: Of one member, for its network and rows.
        num_members: Members of the pass.
        num_steps: Optimizer steps.
        batch_size: Rows of a batch.
        num_evaluations: Evaluations of all splits.
    """
    num_parameters, products, widths = plan.num_parameters, _products(plan), _widths(plan)
    rows = plan.num_rows
    num_rows = rows.train + rows.validation + rows.test
    # Forward, and backward to the weights and to the inputs.
    step_s = 6 * batch_size * products / _FLOPS_PER_S
    step_s += num_parameters * _PARAMETER_S + batch_size * widths * _VALUE_S
    evaluation_s = num_rows * (2 * products / _EVALUATION_FLOPS_PER_S + widths * _VALUE_S)
    load_s = num_rows * math.prod(plan.input_shape) * _ROW_VALUE_S
    return PASS_S + load_s + num_steps * (_STEP_S + num_members * step_s) + num_evaluations * num_members * evaluation_s


def estimate_s(plan: Plan, linear_plan: Plan | None, body: Json) -> float:
    """About how long a suggested sweep takes, one pass for each variant and seed.

    Args:
        plan: Of the network.
        linear_plan: Of the linear model.
        body: The sweep.
    """
    training = body["base"]["training"]
    total_s = 0.0
    for variant in body["variants"]:
        num_members = math.prod(len(axis["values"]) for axis in variant.get("axes", []))
        patched = _patched_training(variant, training)
        of = linear_plan if patched is not training and linear_plan is not None else plan
        rows = of.num_rows.train
        batch_size = rows if patched["batch_size"] == "full" else min(rows, patched["batch_size"])
        total_s += pass_duration_s(
            of,
            num_members=num_members,
            num_steps=patched["epochs"] * math.ceil(rows / batch_size),
            batch_size=batch_size,
            num_evaluations=num_evaluations(patched),
        )
    return total_s * len(body["seeds"])


def _patched_training(variant: Json, training: Json) -> Json:
    """The training of a variant: the base's own object if its patch leaves it alone."""
    changed = {
        operation["path"].removeprefix("/training/"): operation["value"]
        for operation in variant.get("patch", [])
        if operation["path"].startswith("/training/")
    }
    return {**training, **changed} if changed else training


def num_evaluations(training: Json) -> int:
    """How often a run is evaluated."""
    num: int = math.ceil(training["epochs"] / training["eval_every_epochs"])
    return num


def estimate_text(lasts_s: float, budget_s: float) -> str:
    """A sentence about the estimate."""
    about = f"About {lasts_s:.0f} s on two cores"
    if lasts_s > budget_s:
        budget = f"{budget_s:,.1f}".removesuffix(".0")
        return f"{about}, more than the {budget} s of the budget: this is the least that can tell anything."
    return f"{about}."


def _products(plan: Plan) -> int:
    """Multiplications of a forward pass of one row."""
    return sum(layer.num_products(seen) for _, layer, seen in walk_all(plan.layers, plan.row))


def _widths(plan: Plan) -> int:
    """Values that the layers compute for one row."""
    return sum(layer.num_values(seen) for _, layer, seen in walk_all(plan.layers, plan.row))
