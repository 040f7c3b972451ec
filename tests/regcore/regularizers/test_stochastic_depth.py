import pytest
import torch

from regcore import make_plan, train
from regcore.errors import SpecError
from regcore.layers import Activation, Linear, walk_all
from regcore.layers.residual import Residual
from regcore.regularizers.stochastic_depth import StochasticDepth
from regcore.shapes import RowInfo

BLOCK = {"kind": "residual", "layers": [{"kind": "linear", "features": 6}, {"kind": "activation"}]}
DEEP = {"kind": "layers", "layers": [{"kind": "linear", "features": 6}, BLOCK, BLOCK, {"kind": "linear"}]}


def block(*layers):
    return Residual(layers=[*layers, Linear(features=6)])


def chances(layers):
    """The chance at the end of each branch, by its label."""
    return {label: layer.p for label, layer, _ in walk_all(layers, RowInfo((6,))) if layer.kind == "drop_path"}


def test_the_chances_rise_from_block_to_block_to_p():
    assert StochasticDepth.formula == (
        "x + f_l(x) · m/(1 − p_l),  m ~ Bernoulli(1 − p_l),  p_l = p · l/L  for block l of L"
    )
    layers = [Linear(features=6), block(), Activation(), block(), block(), block(), Linear(features=2)]

    rewritten = StochasticDepth(p=0.2).rewrite(layers)

    assert chances(rewritten) == pytest.approx({f"residual{depth}.drop_path1": 0.05 * depth for depth in (1, 2, 3, 4)})
    assert [layer.children()[-1].kind for layer in rewritten if layer.kind == "residual"] == ["drop_path"] * 4


def test_a_block_inside_another_counts_before_it_and_after_those_in_front():
    layers = [block(), block(block()), block(), Linear(features=2)]

    assert chances(StochasticDepth(p=0.4).rewrite(layers)) == pytest.approx(
        {
            "residual1.drop_path1": 0.1,
            "residual2.residual1.drop_path1": 0.2,
            "residual2.drop_path1": 0.3,
            "residual3.drop_path1": 0.4,
        }
    )


def test_both_branches_of_each_transformer_block_are_ended(make_job):
    layers = [{"kind": "transformer_block", "num_heads": 2}] * 2 + [{"kind": "linear"}]

    plan = make_plan(
        make_job(model={"kind": "layers", "layers": layers}, regularizers=[{"kind": "stochastic_depth", "p": 0.4}])
    )

    found = {label: layer.p for label, layer, _ in walk_all(plan.layers, plan.row) if layer.kind == "drop_path"}
    assert found == pytest.approx(
        {
            f"transformer_block{block}.residual{branch}.drop_path1": 0.2 * block - 0.1 * (branch == 1)
            for block in (1, 2)
            for branch in (1, 2)
        }
    )


def test_a_model_without_residual_blocks_is_refused(make_job):
    with pytest.raises(
        SpecError, match="stochastic_depth drops the branches of residual blocks, and the model has none"
    ):
        make_plan(make_job(regularizers=[{"kind": "stochastic_depth", "p": 0.2}]))


def test_at_p_0_it_is_no_other_network(make_job):
    job = make_job(model=DEEP)

    result = train(job | {"regularizers": [{"kind": "stochastic_depth", "p": 0.0}]})

    assert result.weights_sha256 == train(job).weights_sha256


def test_what_is_evaluated_drops_nothing(make_job):
    result = train(make_job(model=DEEP, regularizers=[{"kind": "stochastic_depth", "p": 0.9}]))

    with torch.no_grad():
        outputs = result.model(result.data.train.x)
    assert result.metrics["train/loss"] == pytest.approx(
        float(torch.nn.functional.cross_entropy(outputs, result.data.train.y)), rel=1e-5
    )
