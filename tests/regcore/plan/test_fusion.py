import pytest

from regcore import make_plan, parse_spec
from regcore.plan.fusion import fusion_key, member_bytes
from regcore.regularizers.l2 import L2

L1 = {"kind": "l1", "strength": 1e-3}
DROPOUT = {"kind": "dropout", "p": 0.2}
COSINE = {"kind": "cosine"}
LAYERS = [{"kind": "linear", "features": 8}, {"kind": "dropout", "p": 0.1}, {"kind": "linear"}]


@pytest.fixture
def key_of(make_job):
    def key(**changes):
        return fusion_key(parse_spec(make_job(**{"regularizers": [L1, DROPOUT]} | changes)))

    return key


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"seed": 7}},
        {"training": {"checkpoint_every_s": 1}},
        {"optimizer": {"learning_rate": 0.5, "momentum": 0.1, "schedule": COSINE}},
        {"regularizers": [L1 | {"strength": 5.0, "method": "subgradient", "schedule": COSINE}, DROPOUT]},
        {"regularizers": [L1, DROPOUT | {"p": 0.9}]},
        {"name": "another", "labels": {"a": "b"}, "priority": "high"},
        {"resources": {"max_runtime_s": 5, "max_memory_bytes": 10**9}},
        {"init_from": {"job_id": "job_" + "0" * 26}},
    ],
    ids=str,
)
def test_members_may_differ_in_numbers_and_in_what_is_no_concern_of_training(key_of, changes):
    assert key_of(**changes) == key_of()


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"split_seed": 1}},
        {"data": {"train_limit": 99}},
        {"data": {"kind": "builtin", "name": "mnist-5k"}},
        {"task": {"class_weights": "balanced"}},
        {"model": {"hidden": [9]}},
        {"model": {"activation": "tanh"}},
        {"optimizer": {"kind": "adam"}},
        {"optimizer": {"nesterov": True}},
        {"regularizers": [L1]},
        {"regularizers": [DROPOUT, L1]},
        {"regularizers": [L1 | {"select": {"include": ["*"]}}, DROPOUT]},
        {"regularizers": [L1, DROPOUT | {"where": "input"}]},
        {"regularizers": [L1, DROPOUT, {"kind": "l2", "strength": 0.1}]},
        {"training": {"epochs": 3}},
        {"training": {"batch_size": 16}},
        {"training": {"precision": "float64"}},
        {"training": {"grad_accumulation": 2}},
        {"training": {"eval_every_epochs": 2}},
        {"training": {"compile": True}},
        {"resources": {"device": "auto"}},
        {"resources": {"pool": "large"}},
    ],
    ids=str,
)
def test_members_share_everything_else(key_of, changes):
    assert key_of(**changes) not in (None, key_of())


def test_layers_that_are_written_out_may_differ_in_their_numbers_alone(key_of):
    def key(*layers):
        return key_of(model={"kind": "layers", "layers": list(layers)})

    first, dropout, last = LAYERS

    assert key(first, dropout | {"p": 0.7}, last) == key(*LAYERS)
    assert key(first | {"features": 9}, dropout, last) != key(*LAYERS)
    assert key(first, last) != key(*LAYERS)


def test_off_trains_alone(key_of):
    assert key_of(fusion="off") is None


def test_one_part_that_does_not_fuse_is_enough(key_of, monkeypatch):
    assert key_of(regularizers=[{"kind": "l2", "strength": 0.1}]) is not None

    monkeypatch.setattr(L2, "member_fields", None)

    assert key_of(regularizers=[{"kind": "l2", "strength": 0.1}]) is None
    assert key_of() is not None


def test_it_is_the_same_in_every_process(key_of):
    """Jobs are compared by it in a database: no hash that Python seeds anew."""
    key = key_of()

    assert len(key) == 64
    assert set(key) <= set("0123456789abcdef")


def test_a_members_memory_grows_with_each_of_its_causes():
    base = {
        "num_parameters": 1000,
        "widths": [64, 8, 10],
        "batch_size": 32,
        "num_rows": 500,
        "num_kept": 10,
        "itemsize": 4,
        "num_extra": 100,
        "asked_bytes": 100,
    }

    for cause in base:
        more = base | {cause: [640, 80, 100] if cause == "widths" else base[cause] * 10}
        assert member_bytes(**more) > member_bytes(**base)


def test_a_teachers_weights_and_what_it_says_of_a_batch_are_counted(make_job):
    def needed(hidden, batch_size=8):
        teacher = {"model": {"kind": "mlp", "hidden": [hidden]}, "training": {"batch_size": 50}}
        regularizers = [{"kind": "knowledge_distillation", "teacher": teacher}]
        return make_plan(make_job(regularizers=regularizers, training={"batch_size": batch_size})).member_bytes

    plain = make_plan(make_job(training={"batch_size": 8})).member_bytes
    num_weights = 65 * 5000 + 5001 * 10

    assert needed(5000) - plain >= 4 * num_weights
    assert needed(5000, 80) - needed(64, 80) >= 4 * (num_weights - 65 * 64 - 65 * 10 + 80 * (5000 - 64))


def test_the_estimate_is_at_least_what_weights_gradients_and_moments_take(make_job):
    plan = make_plan(parse_spec(make_job(optimizer={"kind": "adam"}, training={"precision": "float64"})))

    assert plan.member_bytes >= 4 * 8 * plan.num_parameters


def test_a_plan_says_why_it_runs_alone(make_job):
    assert make_plan(make_job()).runs_alone is None
    assert make_plan(make_job(fusion="off")).runs_alone == "It runs one by one: fusion is off."
