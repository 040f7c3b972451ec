"""The order of the hooks. That steps are right is in test_member_equals_solo and the oracles."""

import torch

from regcore.passes import Slope
from regcore.regularizers import Effect


class Noted(Effect):
    """Writes down when each hook is called, and changes nothing."""

    def __init__(self, name, rank, notes):
        self.name, self.notes = name, notes
        self.ranks = dict.fromkeys(["on_batch", "weights", "loss", "gradients", "after_step"], rank)

    def note(self, hook):
        self.notes.append(f"{hook} {self.name}")

    def on_batch(self, batch, at):
        self.note("on_batch")
        return batch

    def weights(self, tensors, at):
        self.note("weights")
        return tensors

    def loss(self, compute, batch, at):
        self.note("loss")
        return compute(batch, at)

    def gradients(self, slope, weights, at):
        self.note("gradients")
        return slope(weights, at)

    def elementwise(self, update, at):
        self.note("elementwise")
        return {}

    def after_step(self, tensors, update, at):
        self.note("after_step")


def take_step(stack, *effects):
    step = type(stack._step)(
        stack.network, stack.task, stack.data.train, stack._update, effects, stack._lead.batch_size
    )
    step.advance(stack.network.learned(), stack.rows(0, 0), stack._at(0))


def test_hooks_come_in_the_engines_order_whatever_the_specs(make_job, make_trainer):
    notes = []
    outer, inner = Noted("outer", 20, notes), Noted("inner", 10, notes)

    take_step(make_trainer(make_job(training={"grad_accumulation": 2, "batch_size": 8})).stack, outer, inner)

    batch = ["on_batch inner", "on_batch outer", "weights inner", "weights outer", "loss outer", "loss inner"]
    assert notes == [
        "gradients outer",
        "gradients inner",
        *batch,
        *batch,  # a step of two parts
        "elementwise outer",
        "elementwise inner",
        "after_step inner",
        "after_step outer",
    ]


def test_a_slope_elsewhere_leaves_the_weights_where_they_are(make_job, make_trainer):
    found = []

    class Elsewhere(Noted):
        def gradients(self, slope, weights, at):
            moved = {name: weight.detach() + 1 for name, weight in weights.items()}
            found.extend([slope(weights, at), slope(moved, at)])
            return Slope({name: torch.zeros_like(weight) for name, weight in weights.items()}, found[0].losses, {})

    stack = make_trainer(make_job(optimizer={"momentum": 0.0})).stack
    before = stack.network.member_state(0)

    take_step(stack, Elsewhere("there", 0, []))

    assert all(torch.equal(value, before[name]) for name, value in stack.network.member_state(0).items())
    assert not torch.equal(found[0].losses["data"], found[1].losses["data"])
