"""What a pass computes with. That its steps are right is in test_trainer, test_member_equals_solo and the oracles."""

import torch
from part_way import leaves_of

from regcore.checkpoint import load_newest, save_checkpoint


def test_every_row_is_seen_once_an_epoch_in_an_order_of_the_members_own(make_job, make_trainer):
    stack = make_trainer(make_job(training={"seed": 1}), make_job(training={"seed": 2})).stack

    orders = [torch.cat([stack.rows(epoch, place) for place in range(4)], dim=1) for epoch in (0, 0, 1)]

    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])
    assert not torch.equal(orders[0][0], orders[0][1])
    for order in orders[0]:
        assert order.sort().values.tolist() == list(range(100))


def take(stack, num_steps):
    for position in range(num_steps):
        stack.advance(stack.rows(0, position))


def test_members_that_are_selected_go_on_as_they_would_have_with_the_others(make_job, make_trainer):
    jobs = [make_job(training={"seed": seed, "precision": "float64"}) for seed in range(3)]
    stack = make_trainer(*jobs).stack
    take(stack, 1)

    part = stack.select([2, 0])
    for each in (stack, part):
        each.advance(each.rows(0, 1))

    assert part.step == stack.step == 2
    for name, weight in part.network.tensors.items():
        torch.testing.assert_close(weight, stack.network.tensors[name][[2, 0]], rtol=1e-12, atol=1e-12)


def test_what_is_finished_is_what_was_last_kept_of_these_members_alone(make_job, make_trainer):
    jobs = [make_job(regularizers=[{"kind": "early_stopping", "patience": 5}], training={"seed": n}) for n in (0, 1)]
    stack = make_trainer(*jobs).stack
    kept = stack.network.member_state(0)
    stack.hear([{"validation/loss": 1.0}, {"validation/loss": 1.0}])
    take(stack, 2)
    ends = stack.network.member_state(1)

    network = stack.finished([0])

    assert network.member_state(0).keys() == kept.keys()
    for name, weight in kept.items():
        assert torch.equal(network.member_state(0)[name], weight)
        assert torch.equal(network.member_state(1)[name], ends[name])


def test_a_loss_that_is_no_number_is_found_with_its_step_and_its_member(make_job, make_trainer):
    jobs = [make_job(training={"seed": n}) for n in (0, 1)]
    stack = make_trainer(*jobs).stack
    take(stack, 1)
    with torch.no_grad():
        stack.network.tensors["head.bias"][1] = torch.nan

    stack.advance(stack.rows(0, 1))

    assert stack.lost() == [1]
    assert stack.first_bad_step(1) == 2
    assert stack.first_bad_step(0) is None


def test_where_no_effect_selects_there_is_no_verdict(make_job, make_trainer):
    assert make_trainer(make_job()).stack.hear([{"validation/loss": 1.0}]) is None


def test_a_stack_that_goes_on_lays_its_tensors_as_one_that_begins(make_job, make_trainer, tmp_path):
    """Tensors that are mapped from a file begin anywhere, and products of them have other last bits."""
    begun = make_trainer(make_job(optimizer={"kind": "adam"})).stack
    begun.advance(begun.rows(0, 0))
    save_checkpoint(tmp_path, 1, {"tree": begun.tree})
    saved = load_newest(tmp_path)

    resumed = begun.resumed(saved.step, saved.state["tree"])

    laid = [tensor for part in ("tensors", "update") for _, tensor in leaves_of(resumed.tree[part])]
    assert {tensor.data_ptr() % 64 for tensor in laid} == {0}
    assert resumed.tree["tensors"]["head.weight"] is resumed.network.tensors["head.weight"]
