import pytest

from regcore import parse_spec
from regcore.parts import decays_of, parts_of, thresholds_of

COSINE = {"kind": "cosine"}
PARTS = [
    {"kind": "l2", "strength": 0.1, "schedule": COSINE},
    {"kind": "l1", "strength": 0.2},
    {"kind": "elastic_net", "l1": 0.3, "l2": 0.4},
    {"kind": "dropout", "p": 0.5},
    {"kind": "weight_decay", "strength": 0.6},
]


def test_each_part_of_a_spec_is_found_in_its_place_with_its_own_schedule(make_job):
    spec = parse_spec(make_job(regularizers=PARTS[:2]))

    found = [(part.pointer, part.spec, part.schedule.kind, part.scheduled_quantity) for part in parts_of(spec)]

    assert found == [
        ("/optimizer", spec.optimizer, "constant", "learning rate"),
        ("/regularizers/0", spec.regularizers[0], "cosine", "strength"),
        ("/regularizers/1", spec.regularizers[1], "constant", "strength"),
    ]


def test_each_threshold_of_a_spec_is_found_with_how_it_acts(make_job):
    parts = [*PARTS, PARTS[1] | {"method": "subgradient"}]

    found = list(thresholds_of(parse_spec(make_job(regularizers=parts))))

    assert [(one.pointer, one.strength, one.by_gradient) for one in found] == [
        ("/regularizers/1/strength", 0.2, False),
        ("/regularizers/2/l1", 0.3, False),
        ("/regularizers/5/strength", 0.2, True),
    ]


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (
            {"kind": "sgd"},
            [
                ("/regularizers/0/strength", 0.1, "cosine"),
                ("/regularizers/2/l2", 0.4, "constant"),
                ("/regularizers/4/strength", 0.6, "constant"),
            ],
        ),
        (
            {"kind": "adamw", "weight_decay": 0.7},
            [("/optimizer/weight_decay", 0.7, "constant"), ("/regularizers/4/strength", 0.6, "constant")],
        ),
    ],
)
def test_each_decay_of_a_spec_is_found_by_its_field_with_its_own_schedule(make_job, optimizer, expected):
    spec = parse_spec(make_job(regularizers=PARTS) | {"optimizer": optimizer})

    found = [(decay.pointer, decay.strength, decay.schedule.kind) for decay in decays_of(spec)]

    assert found == expected


@pytest.mark.parametrize(
    ("optimizer", "of_the_gradient"),
    [
        ({"kind": "sgd", "momentum": 0.5}, [3]),
        ({"kind": "sgd", "momentum": 0.5, "nesterov": True}, [1.5]),
        ({"kind": "adam"}, []),
    ],
)
def test_only_a_decay_by_the_gradient_depends_on_the_optimizer(make_job, optimizer, of_the_gradient):
    job = make_job(regularizers=[PARTS[0], PARTS[4]]) | {"optimizer": optimizer}

    assert [decay.growth_limit for decay in decays_of(parse_spec(job))] == [*of_the_gradient, 2]
