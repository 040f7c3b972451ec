import pytest

from regcore import make_plan, parse_spec


def warnings_of(make_job, **parts):
    return make_plan(parse_spec(make_job(**parts))).warnings


def test_an_ordinary_spec_has_no_warnings(make_job):
    regularizers = [{"kind": "l1", "strength": 1e-4}, {"kind": "l2", "strength": 1e-4}, {"kind": "dropout", "p": 0.2}]

    assert warnings_of(make_job, regularizers=regularizers) == []


L2 = {"kind": "l2", "strength": 0.01}
DECAY = {"kind": "weight_decay", "strength": 0.01}
NET = {"kind": "elastic_net", "l1": 0.01, "l2": 0.01}
DROPOUT = {"kind": "dropout", "p": 0.2}


@pytest.mark.parametrize(
    ("parts", "code", "pointer"),
    [
        ({"optimizer": {"kind": "adam"}, "regularizers": [L2]}, "l2_in_adaptive_optimizer", "/regularizers/0"),
        ({"optimizer": {"kind": "adamw"}, "regularizers": [L2]}, "l2_in_adaptive_optimizer", "/regularizers/0"),
        (
            {"optimizer": {"kind": "rmsprop"}, "regularizers": [DROPOUT, L2]},
            "l2_in_adaptive_optimizer",
            "/regularizers/1",
        ),
        ({"optimizer": {"kind": "adam"}, "regularizers": [NET]}, "l2_in_adaptive_optimizer", "/regularizers/0"),
        ({"regularizers": [L2, DECAY]}, "two_decays", "/regularizers/1"),
        ({"regularizers": [NET, DROPOUT, L2]}, "two_decays", "/regularizers/2"),
        (
            {"optimizer": {"kind": "adamw", "weight_decay": 0.1}, "regularizers": [DECAY]},
            "two_decays",
            "/regularizers/0",
        ),
        ({"regularizers": [L2 | {"strength": 101}]}, "strength_overshoots", "/regularizers/0/strength"),
        ({"regularizers": [DECAY | {"strength": 101}]}, "strength_overshoots", "/regularizers/0/strength"),
        ({"regularizers": [DROPOUT, DROPOUT]}, "dropout_twice", "/regularizers"),
        ({"data": {"test_fraction": 0}}, "no_test_rows", "/data/test_fraction"),
    ],
)
def test_a_doubtful_spec_is_warned_of_with_a_remedy(make_job, parts, code, pointer):
    (warning,) = warnings_of(make_job, **parts)

    assert (warning.code, warning.pointer) == (code, pointer)
    assert warning.message.endswith(".")
    assert warning.remedy.endswith(".")


@pytest.mark.parametrize(
    "parts",
    [
        {"optimizer": {"kind": "adam"}, "regularizers": [DECAY]},
        {
            "regularizers": [
                L2 | {"select": {"include": ["head.weight"]}},
                DECAY | {"select": {"include": ["linear1.weight"]}},
            ]
        },
        {"optimizer": {"kind": "adamw", "weight_decay": 0.1}},
        {"regularizers": [L2 | {"strength": 99}]},
        {"regularizers": [DROPOUT, DROPOUT | {"where": "input"}]},
    ],
)
def test_what_is_well_meant_is_not_warned_of(make_job, parts):
    assert warnings_of(make_job, **parts) == []
