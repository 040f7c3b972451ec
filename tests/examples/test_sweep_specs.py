"""The sweeps of the README: what it says of them is what their members give."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

from regcore import JobSpec, Result, train_many
from regcore.study.statistics import Group, GroupMember, compare
from regcore.study.sweep import Candidate, plan_sweep

EXAMPLES = Path(__file__).parents[2] / "examples"
STRENGTH = "/regularizers/0/strength"
P = "/regularizers/0/p"


def _trained(file: str, chosen: Callable[[Candidate], bool] = lambda candidate: True) -> list[tuple[Candidate, Result]]:
    plan = plan_sweep(json.loads((EXAMPLES / file).read_text("utf-8")))
    members = [member for member in plan.members if chosen(member.candidate)]
    results = train_many([JobSpec(**member.spec) for member in members])
    return [(member.candidate, result) for member, result in zip(members, results, strict=True)]


def _group(name: str, results: list[Result]) -> Group:
    members = [
        GroupMember(str(seed), seed, result.metrics["test/loss"], result.rows["test/loss"], "the test rows")
        for seed, result in enumerate(results)
    ]
    return Group(name, members)


def test_l1_helps_on_diabetes_and_its_best_strength_lies_inside_the_range() -> None:
    by_strength: dict[float, list[Result]] = {}
    for candidate, result in _trained("l1-on-diabetes.json"):
        by_strength.setdefault(candidate.values[STRENGTH], []).append(result)

    losses = {value: fmean(one.metrics["validation/loss"] for one in same) for value, same in by_strength.items()}
    best = min(losses, key=lambda value: losses[value])
    said = compare([_group("without", by_strength[0]), _group("best", by_strength[best])], "test/loss")
    assert 1e-3 < best < 1e-1
    assert said["differences"][0]["verdict"] == "helps"
    assert all(one.report["sparsity"]["overall"] > 0.8 for one in by_strength[best])


def test_l2_helps_and_dropout_helps_more_on_500_digits() -> None:
    best = {"neither": {}, "L2": {STRENGTH: 3e-3}, "dropout": {P: 0.6}}
    by_variant: dict[str, list[Result]] = {}
    for candidate, result in _trained("l2-or-dropout.json", lambda one: one.values == best[str(one.variant)]):
        by_variant.setdefault(str(candidate.variant), []).append(result)

    said = compare([_group(name, same) for name, same in by_variant.items()], "test/loss")

    verdicts = {(row["baseline"], row["group"]): row["verdict"] for row in said["differences"]}
    assert verdicts == {("neither", "L2"): "helps", ("neither", "dropout"): "helps", ("L2", "dropout"): "helps"}
