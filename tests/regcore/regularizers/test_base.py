import pytest
from hypothesis import given
from hypothesis import strategies as st

from regcore.regularizers import Regularizer, Select, Surroundings, WeightRegularizer
from regcore.regularizers.l2 import L2
from regcore.shapes import TensorInfo
from regcore.spec.kinds import REGULARIZERS
from regcore.tasks import Classification

PARAMETERS = ["linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias", "head.weight", "head.bias"]
TENSORS = [TensorInfo(name, (2, 2), "bias" if name.endswith("bias") else "weight") for name in PARAMETERS]


@pytest.mark.parametrize(
    ("select", "names"),
    [
        ({}, ["linear1.weight", "linear2.weight", "head.weight"]),
        ({"include": ["*"]}, PARAMETERS),
        ({"exclude": ["head.*"]}, ["linear1.weight", "linear2.weight"]),
        ({"include": ["*.bias"]}, ["linear1.bias", "linear2.bias", "head.bias"]),
        ({"include": ["head.weight", "linear1.*"]}, ["linear1.weight", "linear1.bias", "head.weight"]),
        ({"include": ["linear?.weight"]}, ["linear1.weight", "linear2.weight"]),
        ({"include": ["LINEAR1.weight"]}, []),
        ({"include": ["*"], "exclude": ["*"]}, []),
    ],
)
def test_a_selector_names_parameters_in_their_own_order(select, names):
    assert Select(**select).names(PARAMETERS) == names


@given(names=st.lists(st.sampled_from(PARAMETERS), unique=True, min_size=1))
def test_names_written_out_select_just_those(names):
    assert set(Select(include=names).names(PARAMETERS)) == set(names)


def test_biases_are_left_alone_by_default():
    assert not any("bias" in name for name in L2(strength=1).touched(TENSORS))


def test_a_selector_that_matches_nothing_says_what_there_is():
    with pytest.raises(ValueError, match=r"head\.weight.*received include=\['conv\*'\].*leave select out"):
        L2(strength=1, select={"include": ["conv*"]}).touched(TENSORS)


def test_the_note_names_what_is_touched():
    assert L2(strength=1).explain(["head.weight"]).endswith("On: head.weight.")


@pytest.mark.parametrize("regularizer", REGULARIZERS.values())
def test_every_regularizer_says_what_it_does_and_where_it_is_from(regularizer):
    assert regularizer.summary.endswith(".")
    assert regularizer.formula
    assert any(character.isdigit() for character in regularizer.source)
    assert regularizer.example["kind"] == regularizer.model_fields["kind"].default


@pytest.mark.parametrize("regularizer", REGULARIZERS.values())
def test_every_regularizer_says_what_it_will_do_in_the_plan(regularizer):
    spec = regularizer.model_validate(regularizer.example)

    assert spec.explain(spec.touched(TENSORS)).startswith(spec.summary)


@pytest.mark.parametrize("regularizer", [r for r in REGULARIZERS.values() if issubclass(r, WeightRegularizer)])
@pytest.mark.parametrize("strength", [-1e-9, 1e13])
def test_strengths_are_from_0_and_bounded(regularizer, strength):
    numbers = [name for name in regularizer.example if name != "kind"]

    for name in numbers:
        with pytest.raises(ValueError, match=name):
            regularizer.model_validate(regularizer.example | {name: strength})


def test_the_base_alone_changes_nothing():
    regularizer = Regularizer(kind="none")

    assert regularizer.rewrite([]) == []
    assert regularizer.touched(TENSORS) == []
    assert regularizer.needs(Surroundings(Classification, 0)) is None
    assert Regularizer.bind([regularizer], None) is None


@pytest.mark.parametrize("role", ["embedding", "bias", "norm"])
def test_only_weights_are_touched_unless_a_pattern_names_others(role):
    tensors = [TensorInfo("a.weight", (2, 2), role), TensorInfo("head.weight", (2, 2))]

    assert L2(strength=1).touched(tensors) == ["head.weight"]
    assert L2(strength=1, select={"include": ["*.weight"]}).touched(tensors) == ["a.weight", "head.weight"]


def test_a_model_without_weights_is_refused():
    with pytest.raises(ValueError, match=r"l2 acts on weights, and the model has none among a\.bias"):
        L2(strength=1).touched([TensorInfo("a.bias", (2,), "bias")])
