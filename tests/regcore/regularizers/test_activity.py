from dataclasses import replace

import pytest
import torch
from effects import bind_effect

from regcore import make_plan, train
from regcore.at import At
from regcore.data.rows import Batch
from regcore.errors import SpecError
from regcore.passes import Pass
from regcore.regularizers.activity import Activity


def keras_activity(strength, norm, outputs):
    """What Keras adds to the loss for a layer's activity_regularizer: its value, divided by the batch's size."""
    value = {"l1": strength * outputs.abs().sum(), "l2": strength * outputs.square().sum()}[norm]
    return value / len(outputs)


DEEP = {"kind": "mlp", "hidden": [8, 6], "activation": "tanh"}


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("layers", [None, ["linear1", "head"]], ids=["hidden activations", "named"])
def test_its_value_is_that_of_keras(make_job, make_trainer, norm, layers):
    regularizer = {"kind": "activity", "strength": 0.3, "norm": norm} | ({"layers": layers} if layers else {})
    job = make_job(model=DEEP, regularizers=[regularizer], training={"batch_size": "full", "precision": "float64"})
    trainer = make_trainer(job)
    module, rows = trainer.stack.network.module(0).requires_grad_(False), trainer.stack.data.train.x

    trainer.stack.advance(trainer.stack.rows(0, 0))

    values = trainer.stack.measure()[0]
    outputs = {}
    for name, layer in module.named_children():
        rows = outputs[name] = layer(rows)
    expected = sum(keras_activity(0.3, norm, outputs[name]) for name in layers or ["activation1", "activation2"])
    assert values["objective/penalty.activity"] == pytest.approx(float(expected), rel=1e-12)
    assert values["objective/total"] == pytest.approx(values["objective/data"] + float(expected), rel=1e-12)


def test_activations_become_smaller(make_job):
    sizes = []
    for strength in (0.0, 0.1):
        result = train(make_job(regularizers=[{"kind": "activity", "strength": strength}], training={"epochs": 5}))
        sizes.append(float(result.model[:3](result.data.train.x).detach().abs().mean()))

    assert sizes[1] < 0.7 * sizes[0]


def bound(norm, layers, kinds, strengths=(1.0, 10.0)):
    members = [Activity(strength=strength, norm=norm, layers=layers) for strength in strengths]
    effect = bind_effect(members, {"head.weight": torch.zeros(len(members), 1, 1)})
    return type(effect)(members, replace(effect.setting, layers=kinds))


def test_steps_that_a_sequence_does_not_use_are_left_out():
    outputs = torch.arange(1.0, 13.0).view(1, 2, 3, 2).expand(2, 2, 3, 2)
    lengths = torch.tensor([[1, 3]])
    found = Pass(
        torch.zeros(2, 2, 1), torch.zeros(2, 2), watched={"lstm1": outputs}, watched_lengths={"lstm1": lengths}
    )
    effect = bound("l1", ["lstm1"], {"lstm1": "lstm", "head": "linear"})

    term = effect.loss(lambda batch, at: found, Batch(torch.zeros(1), torch.zeros(1)), At(0, 1, 1)).terms["activity"]

    assert term.tolist() == [[3.0, 57.0], [30.0, 570.0]]


def test_hidden_activations_inside_other_layers_count():
    kinds = {"linear1": "linear", "residual1": "residual", "residual1.activation1": "activation", "head": "linear"}

    assert bound("l1", None, kinds).watched_layers == {"residual1.activation1"}


@pytest.mark.parametrize(
    ("model", "regularizer", "message"),
    [
        (DEEP, {"layers": ["conv9"]}, r"layers must name layers of .*linear1.*; received conv9, not among them"),
        (
            {"kind": "linear"},
            {},
            r"acts on hidden units, and the model has none; name some of .*head.* in layers",
        ),
        ({"kind": "torchvision", "name": "resnet18", "small_images": True}, {}, "this model is opaque; leave it out"),
    ],
    ids=["unknown", "none", "opaque"],
)
def test_layers_that_the_model_does_not_have_are_refused(make_job, model, regularizer, message):
    job = make_job(model=model, regularizers=[{"kind": "activity", "strength": 0.1} | regularizer])

    with pytest.raises(SpecError, match=message) as refused:
        make_plan(job)

    assert [error.pointer for error in refused.value.errors] == ["/regularizers/0"]
