import pytest

from regcore import make_plan, parse_spec
from regcore.data.facts import known_facts
from regcore.errors import SpecError
from regcore.plan import Ceilings
from regcore.plan.ceilings import hold_data_to, hold_to, is_too_deep
from regcore.plan.problems import Problems


def spec(**parts):
    return parse_spec({"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}} | parts)


@pytest.mark.parametrize(
    ("model", "ceilings", "too_deep"),
    [
        ({"kind": "mlp", "hidden": [4, 4]}, Ceilings(hidden_layers=1), True),
        ({"kind": "mlp", "hidden": [4, 4]}, Ceilings(hidden_layers=2), False),
        ({"kind": "layers", "layers": [{"kind": "flatten"}, {"kind": "linear"}]}, Ceilings(layers=1), True),
    ],
)
def test_a_model_is_too_deep_as_it_is_written(model, ceilings, too_deep):
    assert is_too_deep(spec(model=model), ceilings) == too_deep


def test_what_exceeds_a_limit_is_told_once_for_a_place():
    problems = Problems()

    hold_to(Ceilings(epochs=5, steps=10), spec(), 650, 2, 18, problems)

    assert [(error.pointer, error.code) for error in problems.errors] == [("/training/epochs", "over_ceiling")]


def test_the_rows_memory_is_held_to_its_limit():
    problems, job = Problems(), spec()

    hold_data_to(Ceilings(data_bytes=1000), job, known_facts(job), make_plan(job).num_rows, problems)

    (error,) = problems.errors
    assert "1,797 rows of 64 numbers need 460,032 bytes" in error.message


@pytest.mark.parametrize(
    ("model", "pointer"),
    [
        ({"kind": "mlp", "hidden": [4] * 3}, "/model/hidden"),
        ({"kind": "cnn", "channels": [4, 4], "hidden": [4]}, "/model/channels"),
        ({"kind": "rnn", "num_layers": 3}, "/model/num_layers"),
        ({"kind": "transformer", "depth": 3}, "/model/depth"),
        ({"kind": "autoencoder", "hidden": [4] * 3}, "/model/hidden"),
    ],
)
def test_a_short_form_has_hidden_layers_as_its_field_says(model, pointer):
    job = {"data": {"kind": "builtin", "name": "digits"}, "model": model}

    with pytest.raises(SpecError) as refused:
        make_plan(job, Ceilings(hidden_layers=2))

    (error,) = refused.value.errors
    assert (error.pointer, error.code) == (pointer, "over_ceiling")
    assert "hidden layers may be at most 2" in error.message
