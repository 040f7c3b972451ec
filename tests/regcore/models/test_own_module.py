"""Modules that are handed to train: which can be trained, and what is said of the others."""

import pytest
import torch
from torch import nn

from regcore import JobSpec, make_plan, train
from regcore.errors import SpecError
from regcore.models.own_module import OwnModuleModel

SPEC = {"training": {"epochs": 1}}


@pytest.fixture(scope="module")
def rows():
    x = torch.randn(60, 6, generator=torch.Generator().manual_seed(1))
    return x.numpy(), x[:, :3].argmax(1).numpy()


class Wrong(nn.Module):
    def __init__(self, give):
        super().__init__()
        self.linear = nn.Linear(6, 3)
        self.give = give

    def forward(self, x):
        return self.give(self.linear(x))


def on_meta():
    with torch.device("meta"):
        return nn.Linear(6, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: nn.Linear(6, 4),
            "the model must end in 3 output(s) for this task; it ends in shape (4,). Give its la",
        ),
        (lambda: nn.Linear(5, 3), "the module's forward fails on rows of the data, a batch of shape (2, 6): Runtime"),
        (lambda: Wrong(lambda y: (y, y)), "the module must return one tensor, (rows, outputs); it returns a tuple. P"),
        (lambda: Wrong(lambda y: y.mean()), "the module must return (rows, outputs) in floating point; for a batch"),
        (lambda: nn.LazyLinear(3), "the module's weight, bias have no shape yet: they are lazy. Call it once with a"),
        (lambda: nn.Flatten(), "the module has no parameters that require gradients, and nothing can be trained."),
        (on_meta, "the module's weight is on the meta device, and has no values. Make the module on the CPU"),
        (lambda: nn.Linear, "module must be a torch.nn.Module; received type. Hand in an instance"),
    ],
    ids=["outputs", "inputs", "tuple", "no rows", "lazy", "no parameters", "meta", "class"],
)
@pytest.mark.filterwarnings("ignore:Lazy modules:UserWarning")
def test_a_module_that_cannot_be_trained_is_refused_with_a_reason(rows, make, message):
    with pytest.raises(SpecError) as refused:
        train(SPEC, *rows, module=make())

    (error,) = refused.value.errors
    assert error.pointer == "/model"
    assert error.message.startswith(message)


def test_a_model_beside_it_is_refused_and_a_kind_that_says_module_is_not(rows):
    with pytest.raises(SpecError, match=r"a module was handed in, and model\.kind linear is another one"):
        train(SPEC | {"model": {"kind": "linear"}}, *rows, module=nn.Linear(6, 3))

    spec = JobSpec(model={"kind": "module"}, training={"epochs": 1})
    assert train(spec, *rows, module=nn.Linear(6, 3)).plan.resolved_spec.model.kind == "module"


def test_a_server_refuses_such_a_spec_and_says_how_else(make_job):
    layers = {"kind": "layers", "layers": [{"kind": "module"}]}
    for model, pointer in (({"kind": "module"}, "/model"), (layers, "/model/layers/0")):
        with pytest.raises(SpecError) as refused:
            make_plan(make_job(model=model))

        (error,) = refused.value.errors
        assert error.pointer == pointer
        assert "a module is handed over in Python" in error.message
        assert "JobSpec.from_module(net, input_shape)" in error.message


def test_its_signature_is_of_names_and_shapes_and_not_of_values():
    one, again, other = (OwnModuleModel.of(nn.Linear(3, size)).signature for size in (2, 2, 4))

    assert one == again != other
    assert OwnModuleModel().signature is None
