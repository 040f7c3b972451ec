import torch

from regcore import make_plan
from regcore.loop.effects import bind_effects
from regcore.loop.network import StackedNetwork
from regcore.tasks import Classification

TEACHER = {"kind": "knowledge_distillation", "teacher": {"model": {"kind": "linear"}}}


def effects_of(make_job, *regularizers, **options):
    plans = [make_plan(make_job(regularizers=list(regularizers), training={"seed": seed})) for seed in range(2)]
    network = StackedNetwork(plans, dtype=torch.float32, device=torch.device("cpu"), autocast=False)
    return bind_effects(plans, network, Classification("cross_entropy", 10), **options)


def test_each_is_found_by_its_name_in_the_plan_and_what_acts_by_surgery_alone_is_not(make_job):
    head = {"kind": "l1", "strength": 0.1, "select": {"include": ["head.weight"]}}

    effects = effects_of(make_job, {"kind": "l1", "strength": 0.2}, {"kind": "dropout", "p": 0.5}, head)

    assert list(effects) == ["l1", "l1_2"]
    assert [member.strength for member in effects["l1"].members] == [0.2, 0.2]
    assert effects["l1_2"].touched == ["head.weight"]


def test_each_member_has_the_models_that_its_regularizer_names(make_job):
    models = [torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)]
    inputs = [{"knowledge_distillation": {"teacher": model}} for model in models]

    effects = effects_of(make_job, TEACHER, {"kind": "l2", "strength": 0.1}, inputs=inputs)

    assert [own["teacher"] for own in effects["knowledge_distillation"].setting.inputs] == models
    assert effects["l2"].setting.inputs == [{}, {}]


def test_where_models_are_not_there_yet_their_regularizers_are_left_out(make_job):
    assert list(effects_of(make_job, TEACHER, {"kind": "l2", "strength": 0.1}, inputs=None)) == ["l2"]
