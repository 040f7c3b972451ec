import pytest

from regcore import parse_spec
from regcore.decays import decays_of

COSINE = {"kind": "cosine"}
PARTS = [
    {"kind": "l2", "strength": 0.1, "schedule": COSINE},
    {"kind": "l1", "strength": 0.2},
    {"kind": "elastic_net", "l1": 0.3, "l2": 0.4},
    {"kind": "dropout", "p": 0.5},
    {"kind": "weight_decay", "strength": 0.6},
]


def test_each_decay_of_a_spec_is_found_by_its_field_with_its_own_schedule(make_job):
    spec = parse_spec(make_job(optimizer={"kind": "adamw", "weight_decay": 0.7}, regularizers=PARTS))

    found = [(decay.pointer, decay.strength, decay.schedule.kind) for decay in decays_of(spec)]

    assert found == [
        ("/optimizer/weight_decay", 0.7, "constant"),
        ("/regularizers/0/strength", 0.1, "cosine"),
        ("/regularizers/2/l2", 0.4, "constant"),
        ("/regularizers/4/strength", 0.6, "constant"),
    ]


@pytest.mark.parametrize(
    ("optimizer", "of_the_gradient"),
    [
        ({"kind": "sgd", "momentum": 0.5}, 3),
        ({"kind": "sgd", "momentum": 0.5, "nesterov": True}, 1.5),
        ({"kind": "adam"}, None),
    ],
)
def test_only_a_decay_by_the_gradient_depends_on_the_optimizer(make_job, optimizer, of_the_gradient):
    job = make_job(regularizers=[PARTS[0], PARTS[4]]) | {"optimizer": optimizer}

    assert [decay.growth_limit for decay in decays_of(parse_spec(job))] == [of_the_gradient, 2]
