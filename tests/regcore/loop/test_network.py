import pytest
import torch

from regcore import make_plan, parse_spec
from regcore.at import At
from regcore.data.prepared import Split
from regcore.loop import evaluate as evaluate_module
from regcore.loop.evaluate import evaluate
from regcore.loop.network import StackedNetwork
from regcore.tasks import Classification


@pytest.fixture
def stack(make_job):
    def make(*changes, autocast=False, dtype=torch.float64):
        plans = [make_plan(parse_spec(make_job(**change))) for change in changes]
        return StackedNetwork(plans, dtype=dtype, device=torch.device("cpu"), autocast=autocast)

    return make


TASK = Classification("cross_entropy", 10)


def evaluated(network, x):
    """Outputs in evaluation mode, (K, N, outputs)."""
    return (
        evaluate(network, Split(x, torch.zeros(len(x), dtype=torch.int64)), TASK, is_final=True)
        .columns["outputs"]
        .double()
    )


def outputs_of(network, x, step, *, training):
    at = At(step, 1, 10, seeds=network.seeds, training=training)
    return network.forward(network.tensors, x, at)[0]


SEEDS = [{"training": {"seed": seed}} for seed in (3, 4, 5)]


def test_every_parameter_has_a_member_axis_and_the_plans_name(stack):
    network = stack(*SEEDS)

    assert {name: tuple(weight.shape) for name, weight in network.tensors.items()} == {
        "linear1.weight": (3, 8, 64),
        "linear1.bias": (3, 8),
        "head.weight": (3, 10, 8),
        "head.bias": (3, 10),
    }


def test_a_member_starts_from_the_weights_that_it_would_have_alone(stack):
    together = stack(*SEEDS)

    for k, change in enumerate(SEEDS):
        alone = stack(change)
        for name, weight in alone.member_state(0).items():
            assert torch.equal(together.member_state(k)[name], weight)


def test_other_seeds_give_other_weights(stack):
    weight = stack(*SEEDS).tensors["linear1.weight"]

    assert not torch.equal(weight[0], weight[1])


def test_precision_does_not_change_which_numbers_are_drawn(stack):
    single, double = stack(SEEDS[0], dtype=torch.float32), stack(SEEDS[0])

    assert torch.equal(single.tensors["head.weight"], double.tensors["head.weight"].float())


def test_a_member_as_a_plain_module_computes_the_same(stack):
    network = stack(*SEEDS)
    x = torch.rand(6, 1, 8, 8, dtype=torch.float64)

    outputs = evaluated(network, x)

    for k in range(3):
        torch.testing.assert_close(outputs[k], network.module(k)(x))
        assert not network.module(k).training


def test_a_modules_dropout_has_its_own_members_p(stack):
    network = stack(*({"regularizers": [{"kind": "dropout", "p": p}]} for p in (0.1, 0.7)))

    assert [network.module(k).dropout1.p for k in range(2)] == [0.1, 0.7]


def test_training_masks_differ_by_step_and_evaluation_has_none(stack):
    network = stack({"regularizers": [{"kind": "dropout", "p": 0.5}]})
    x = torch.rand(1, 6, 1, 8, 8, dtype=torch.float64)

    first, again, second = (outputs_of(network, x, step, training=True) for step in (0, 0, 1))
    predicted = outputs_of(network, x, 0, training=False)

    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert torch.equal(predicted, evaluated(network, x[0]))


def test_chunks_do_not_change_what_is_predicted(stack, monkeypatch):
    network = stack(*SEEDS)
    x = torch.rand(10, 1, 8, 8, dtype=torch.float64)
    whole = evaluated(network, x)

    monkeypatch.setattr(evaluate_module, "EVAL_CHUNK_ROWS", 3)

    torch.testing.assert_close(evaluated(network, x), whole)


def test_members_do_not_meet_in_one_backward(stack):
    network = stack(*SEEDS)
    x = torch.rand(1, 6, 1, 8, 8, dtype=torch.float64)

    outputs_of(network, x, 0, training=False)[1].square().sum().backward()

    gradient = network.tensors["linear1.weight"].grad
    assert gradient[1].abs().sum() > 0
    assert gradient[0].abs().sum() == gradient[2].abs().sum() == 0


def test_autocast_computes_in_bfloat16_and_keeps_the_weights(stack):
    network = stack(SEEDS[0], autocast=True, dtype=torch.float32)

    x = torch.rand(4, 1, 8, 8)

    outputs = outputs_of(network, x.unsqueeze(0), 0, training=False)

    assert outputs.dtype == torch.float32
    assert torch.equal(outputs, outputs.bfloat16().float())
    assert network.tensors["head.weight"].dtype == torch.float32


@pytest.mark.parametrize(
    ("layers", "cuts", "works"),
    [
        ([{"kind": "global_pool"}], True, False),
        ([{"kind": "dropout"}, {"kind": "lstm", "hidden": 3}, {"kind": "global_pool"}], True, True),
        ([{"kind": "transformer_block", "num_heads": 2}, {"kind": "global_pool"}], True, True),
    ],
    ids=["bag", "lstm", "transformer"],
)
def test_padding_is_left_out_and_groups_are_for_networks_that_work_on_steps(make_job, layers, cuts, works):
    model = {"kind": "layers", "layers": [{"kind": "embedding", "features": 4}, *layers, {"kind": "linear"}]}
    plan = make_plan(make_job(data={"kind": "builtin", "name": "tiny-text"}, model=model))

    network = StackedNetwork([plan], dtype=torch.float32, device=torch.device("cpu"), autocast=False)

    assert (network.cuts_rows, network.works_on_steps, network.takes_single_rows) == (cuts, works, True)
