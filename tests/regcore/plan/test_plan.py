from regcore import make_plan
from regcore.shapes import RowInfo

LAYERS = [
    {"kind": "conv2d", "channels": 4, "kernel_size": 3},
    {"kind": "batch_norm"},
    {"kind": "residual", "layers": [{"kind": "activation"}]},
    {"kind": "linear"},
]
SPEC = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "layers", "layers": LAYERS}}


def test_parameters_are_learned_and_have_a_role_and_buffers_are_tensors_too():
    plan = make_plan(SPEC)

    roles = {parameter.name: parameter.role for parameter in plan.parameters}
    assert roles["conv2d1.weight"] == "weight"
    assert roles["batch_norm1.weight"] == "norm"
    assert not any("running" in name for name in roles)
    assert {tensor.name for tensor in plan.tensors()} - set(roles) == {
        "batch_norm1.running_mean",
        "batch_norm1.running_var",
        "batch_norm1.num_batches_tracked",
    }


def test_layers_inside_others_have_a_path():
    assert make_plan(SPEC).layer_kinds()["residual1.activation1"] == "activation"


def test_a_row_is_described_without_its_values():
    assert make_plan(SPEC).row == RowInfo((1, 8, 8))


def test_a_members_memory_grows_with_the_batch():
    small, large = (make_plan(SPEC | {"training": {"batch_size": size}}).member_bytes for size in (8, 256))

    assert large > small > 0
