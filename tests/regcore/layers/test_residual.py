import pytest

from regcore import make_plan, parse_spec, train
from regcore.errors import SpecError
from regcore.layers import Activation, Conv2d, Flatten, Linear, Residual, complete, label_layers, rewritten, tensors_of
from regcore.plan import Ceilings
from regcore.shapes import RowInfo

WIDE = {"kind": "linear", "features": 8}
RELU = {"kind": "activation", "name": "relu"}
BLOCK = {"kind": "residual", "layers": [WIDE, RELU]}
OUTPUT = {"kind": "linear"}


def model(*layers):
    return {"kind": "layers", "layers": [WIDE, *layers, OUTPUT]}


def nested(levels, inside=WIDE):
    for _ in range(levels):
        inside = {"kind": "residual", "layers": [inside]}
    return inside


def refusal(spec, ceilings=None):
    with pytest.raises(SpecError) as refused:
        make_plan(spec, ceilings)
    return refused.value.errors


def test_layers_inside_have_paths_and_ordinals_of_their_own(make_job):
    plan = make_plan(make_job(model=model(BLOCK, {"kind": "residual", "layers": [BLOCK, WIDE]})))

    assert plan.layer_names == ["flatten1", "linear1", "residual1", "residual2", "head"]
    assert [one.name for one in plan.parameters if one.name.endswith("weight")] == [
        "linear1.weight",
        "residual1.linear1.weight",
        "residual2.residual1.linear1.weight",
        "residual2.linear1.weight",
        "head.weight",
    ]
    assert plan.layer_kinds()["residual2.residual1.activation1"] == "activation"


def test_the_output_layer_may_come_before_a_block():
    layers = [Linear(), Residual(layers=[Linear(features=10)])]

    completed = complete([layers[0].model_copy(update={"features": 10}), layers[1]], RowInfo((3,)), 10)

    assert label_layers(completed) == ["head", "residual1"]
    assert [info.shape for info in tensors_of(completed, RowInfo((3,)))] == [(10, 3), (10,), (10, 10), (10,)]


def test_what_users_may_omit_is_filled_in_inside_too():
    block = Residual(layers=[Conv2d(channels=2, padding=1), Linear(features=18), Linear(features=18)])

    with pytest.raises(ValueError, match=r"turn \(2, 3, 3\) into \(18,\)"):
        complete([block], RowInfo((2, 3, 3)), None)

    (completed,) = complete([Residual(layers=[Linear(features=9)])], RowInfo((9,)), 9)
    assert completed.layers == [Linear(features=9)]
    (kept,) = complete([Residual(layers=[Residual(layers=[Flatten()])])], RowInfo((9,)), 9)
    assert kept.layers[0].layers == [Flatten()]


@pytest.mark.parametrize(
    ("layers", "pointer", "message"),
    [
        (
            [BLOCK | {"layers": [{"kind": "linear", "features": 5}]}],
            "/model/layers/1",
            "layers[1] residual: the layers inside must keep the shape of their rows, to which their outputs are "
            "added; they turn (8,) into (5,).",
        ),
        (
            [{"kind": "residual", "layers": [WIDE, {"kind": "pool"}]}],
            "/model/layers/1/layers/1",
            "layers[1].layers[1] pool expects (C, H, W) or (steps, features); it gets (8,) from "
            "layers[1].layers[0] linear",
        ),
        (
            [{"kind": "residual", "layers": [{"kind": "residual", "layers": [{"kind": "pool"}]}]}],
            "/model/layers/1/layers/0/layers/0",
            "layers[1].layers[0].layers[0] pool expects (C, H, W) or (steps, features); it gets (8,) from "
            "layers[0] linear",
        ),
        (
            [{"kind": "residual", "layers": [WIDE | {"name": "a"}] * 2}],
            "/model",
            "layer names must differ; received a twice",
        ),
    ],
)
def test_a_block_that_does_not_fit_is_refused_with_the_way_to_it(make_job, layers, pointer, message):
    (error,) = refusal(make_job(model=model(*layers)))

    assert error.pointer == pointer
    assert error.message.startswith(message)


def test_rows_of_tokens_cannot_be_added():
    with pytest.raises(ValueError, match=r"layers\[0\] residual expects numbers .* it gets tokens, \(5,\)"):
        complete([Residual(layers=[])], RowInfo((5,), tokens=9), None)


def test_surgery_knows_the_path_of_each_list():
    found = {}
    layers = [Residual(layers=[Activation(), Residual(layers=[Activation(name="tanh")])], name="a"), Linear(features=1)]

    rewritten(layers, lambda some, prefix: found.update({prefix: [layer.kind for layer in some]}) or some)

    assert found == {
        "a.residual1.": ["activation"],
        "a.": ["activation", "residual"],
        "": ["residual", "linear"],
    }


def test_dropout_finds_activations_inside_and_layers_by_their_paths(make_job):
    def places(where):
        dropout = {"kind": "dropout", "p": 0.2, "where": where}
        kinds = make_plan(make_job(model=model(RELU, BLOCK), regularizers=[dropout])).layer_kinds()
        return [label for label, kind in kinds.items() if kind == "dropout"]

    assert places("hidden") == ["dropout1", "residual1.dropout1"]
    assert places("input") == ["dropout1"]
    assert places(["residual1.linear1", "residual1"]) == ["residual1.dropout1", "dropout1"]


def test_dropout_says_which_paths_there_are(make_job):
    dropout = {"kind": "dropout", "p": 0.2, "where": ["linear2"]}

    (error,) = refusal(make_job(model=model(BLOCK), regularizers=[dropout]))

    assert "layers of residual1.linear1, residual1.activation1, flatten1, linear1, residual1, head" in error.message


def test_patterns_select_tensors_inside(make_job):
    l2 = {"kind": "l2", "strength": 0.1, "select": {"include": ["residual1.*"], "exclude": ["*.bias"]}}

    (planned,) = make_plan(make_job(model=model(BLOCK, BLOCK), regularizers=[l2])).regularizers

    assert planned.parameters == ["residual1.linear1.weight"]


def test_the_report_counts_units_and_zeros_inside(make_job):
    l1 = {"kind": "l1", "strength": 10.0, "select": {"include": ["residual1.linear1.*"]}}

    report = train(make_job(model=model(BLOCK), regularizers=[l1], optimizer={"learning_rate": 0.1})).report

    assert report["sparsity"]["by_layer"]["residual1.linear1"] == 1.0
    assert report["sparsity"]["dead_units"] == {"residual1.linear1": 8}


def test_an_empty_block_is_doubted_at_its_place(make_job):
    inside = {"kind": "residual", "layers": [WIDE, {"kind": "residual", "layers": []}]}

    (warning,) = make_plan(make_job(model=model(inside))).warnings

    assert (warning.code, warning.pointer) == ("empty_residual", "/model/layers/1/layers/1/layers")


def test_errors_inside_have_their_pointers(make_job):
    inside = {"kind": "residual", "layers": [WIDE | {"feature": 3}, {"kind": "conv"}, nested(2, {"kind": "dropout"})]}

    errors = refusal(make_job(model=model(inside)))

    assert [error.pointer for error in errors] == [
        "/model/layers/1/layers/0/feature",
        "/model/layers/1/layers/1/kind",
    ]


def test_a_spec_with_blocks_is_json_and_back(make_job):
    spec = parse_spec(make_job(model=model(nested(3), BLOCK)))

    assert parse_spec(spec.model_dump(mode="json")) == spec
    assert make_plan(spec).resolved_spec.model == spec.model


def test_jobs_that_differ_inside_train_in_one_pass_if_their_members_may(make_job):
    def key(p, features=8):
        inside = [{"kind": "linear", "features": features}, {"kind": "dropout", "p": p}, WIDE]
        return make_plan(make_job(model=model({"kind": "residual", "layers": inside}))).fusion_key

    assert key(0.1) == key(0.5) != key(0.1, features=9)
    assert key(0.1) is not None


@pytest.mark.parametrize(
    ("levels", "pointer", "message"),
    [
        (16, "/model", "model: layers may hold others at most 16 levels deep; received 17 levels"),
        (100, "/model", "model: layers may hold others at most 16 levels deep; received 101 levels"),
        (300, "/model/layers/1", "model.layers.1 is nested too deeply"),
        (10_000, "/model/layers/1", "model.layers.1 is nested too deeply"),
    ],
)
def test_blocks_nested_too_deeply_are_refused(make_job, levels, pointer, message):
    (error,) = refusal(make_job(model=model(nested(levels))))

    assert error.pointer == pointer
    assert error.message.startswith(message)


def test_fifteen_blocks_in_each_other_train(make_job):
    assert train(make_job(model=model(nested(15)), training={"epochs": 1})).metrics["train/loss"] > 0


def test_layers_inside_count_towards_the_ceiling(make_job):
    block = {"kind": "residual", "layers": [{"kind": "dropout"}] * 300}

    errors = refusal(make_job(model=model(block, block)), Ceilings())

    assert [(error.pointer, error.code) for error in errors] == [("/model", "over_ceiling")]
    assert "received 604" in errors[0].message
