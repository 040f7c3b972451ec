"""A member's training equals its solo run, for every part that fuses.

Members of a stack differ in every number that they may differ in, and in their seed. Each is trained again alone, by
the same code with K = 1. Deviations come from rounding alone: a stack's matrix products may add in another order.
"""

import itertools
import math
import statistics
from dataclasses import dataclass
from typing import Any, get_args

import pytest
import torch

from regcore import make_plan, parse_spec, train
from regcore.data import source
from regcore.data.prepare import prepare
from regcore.errors import DivergedError, TrainingHalved, TrainingStopped
from regcore.layers import Layer
from regcore.layers.activation import ActivationName
from regcore.loop.control import Control, Rungs
from regcore.loop.group import Newcomer, gather_inputs, train_group
from regcore.loop.member import Member
from regcore.loop.network import StackedNetwork
from regcore.loop.planned_rows import task_of
from regcore.loop.trainer import Trainer
from regcore.spec.kinds import LAYERS, OPTIMIZERS, REGULARIZERS

COSINE = {"kind": "cosine", "warmup_epochs": 0.5}
STEPS = {"kind": "step", "every_epochs": 2, "gamma": 0.5}
CONSTANT = {"kind": "constant"}

OPTIMIZER_EXAMPLES = {
    "sgd": [
        {"learning_rate": 0.05, "momentum": 0.9, "schedule": CONSTANT},
        {"learning_rate": 0.2, "momentum": 0.5, "schedule": COSINE},
        {"learning_rate": 0.1, "momentum": 0.0, "schedule": STEPS},
    ],
    "adam": [
        {"learning_rate": 0.01, "schedule": CONSTANT, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
        {"learning_rate": 0.003, "schedule": COSINE, "beta1": 0.8, "beta2": 0.99, "eps": 1e-6},
        {"learning_rate": 0.02, "schedule": STEPS, "beta1": 0.0, "beta2": 0.95, "eps": 1e-3},
    ],
    "adamw": [
        {"learning_rate": 0.01, "schedule": CONSTANT, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0},
        {"learning_rate": 0.003, "schedule": COSINE, "beta1": 0.8, "beta2": 0.99, "eps": 1e-6, "weight_decay": 0.1},
        {"learning_rate": 0.02, "schedule": STEPS, "beta1": 0.7, "beta2": 0.95, "eps": 1e-3, "weight_decay": 1.0},
    ],
    "rmsprop": [
        {"learning_rate": 0.003, "schedule": CONSTANT, "alpha": 0.99, "eps": 1e-8, "momentum": 0.0},
        {"learning_rate": 0.001, "schedule": COSINE, "alpha": 0.9, "eps": 1e-6, "momentum": 0.5},
        {"learning_rate": 0.01, "schedule": STEPS, "alpha": 0.8, "eps": 1e-3, "momentum": 0.9},
    ],
}
"""By kind: the fields in which three members differ."""

REGULARIZER_EXAMPLES = {
    "activity": [{"strength": 1e-3}, {"strength": 0.0}, {"strength": 1e-2}],
    "dropout": [{"p": 0.0}, {"p": 0.2}, {"p": 0.6}],
    "early_stopping": [
        {"metric": "validation/loss", "patience": 1, "min_delta": 0.3},
        {"metric": "validation/accuracy", "patience": 2, "min_delta": 0.0},
        {"metric": "validation/loss", "patience": 50, "min_delta": 0.001},
    ],
    "elastic_net": [
        {"l1": 1e-3, "l2": 0.0, "schedule": CONSTANT},
        {"l1": 0.0, "l2": 0.1, "schedule": COSINE},
        {"l1": 1e-2, "l2": 0.01, "schedule": STEPS},
    ],
    "ema": [{"decay": 0.0}, {"decay": 0.5}, {"decay": 0.95}],
    "grad_clip": [{"max_norm": 0.1}, {"max_norm": 1.0}, {"max_norm": 100.0}],
    "group_lasso": [
        {"strength": 0.0, "schedule": CONSTANT},
        {"strength": 3e-3, "schedule": COSINE},
        {"strength": 1e-2, "schedule": STEPS},
    ],
    "knowledge_distillation": [
        {"alpha": 0.5, "temperature": 4.0},
        {"alpha": 0.0, "temperature": 1.0},
        {"alpha": 0.9, "temperature": 2.0},
    ],
    "l0": [
        {"strength": 0.0, "dropout_rate": 0.2, "schedule": CONSTANT},
        {"strength": 3e-3, "dropout_rate": 0.5, "schedule": COSINE},
        {"strength": 1e-3, "dropout_rate": 0.05, "schedule": STEPS},
    ],
    "l1": [
        {"strength": 0.0, "method": "proximal", "schedule": CONSTANT},
        {"strength": 3e-3, "method": "subgradient", "schedule": COSINE},
        {"strength": 1e-2, "method": "proximal", "schedule": STEPS},
    ],
    "l2": [
        {"strength": 0.0, "schedule": CONSTANT},
        {"strength": 0.1, "schedule": COSINE},
        {"strength": 1e-2, "schedule": STEPS},
    ],
    "label_smoothing": [{"epsilon": 0.0}, {"epsilon": 0.1}, {"epsilon": 0.3}],
    "max_norm": [{"max_value": 0.5}, {"max_value": 1.0}, {"max_value": 0.7}],
    "mixup": [{"alpha": 0.0}, {"alpha": 0.2}, {"alpha": 1.0}],
    "r_drop": [{"strength": 0.0}, {"strength": 1.0}, {"strength": 0.3}],
    "sam": [{"rho": 0.0}, {"rho": 0.05}, {"rho": 1.0}],
    "spectral_norm": [{}, {}, {}],
    "stochastic_depth": [{"p": 0.0}, {"p": 0.3}, {"p": 0.8}],
    "weight_decay": [
        {"strength": 0.0, "schedule": CONSTANT},
        {"strength": 0.5, "schedule": COSINE},
        {"strength": 1e-2, "schedule": STEPS},
    ],
}
OF_IMAGES_AND_NUMBERS = {
    "crop_flip": [
        {"padding": 0, "flip_probability": 0.5},
        {"padding": 1, "flip_probability": 0.0},
        {"padding": 3, "flip_probability": 1.0},
    ],
    "cutmix": [{"alpha": 0.0}, {"alpha": 0.2}, {"alpha": 1.0}],
    "cutout": [{"size": 0}, {"size": 2}, {"size": 5}],
    "input_noise": [{"std": 0.0}, {"std": 0.1}, {"std": 1.0}],
    "random_erasing": [{"p": 1.0, "max_area": 0.0}, {"p": 0.0, "max_area": 0.2}, {"p": 0.5, "max_area": 0.9}],
    "swap_noise": [{"p": 0.0}, {"p": 0.1}, {"p": 1.0}],
}
OF_SEQUENCES = {
    "audio_noise": [
        {"p": 0.0, "min_snr_db": 0.0, "max_snr_db": 10.0},
        {"p": 1.0, "min_snr_db": 5.0, "max_snr_db": 5.0},
        {"p": 0.5, "min_snr_db": -10.0, "max_snr_db": 40.0},
    ],
    "spec_augment": [
        {"freq_mask_param": 0, "time_mask_param": 3, "p": 0.0},
        {"freq_mask_param": 2, "time_mask_param": 1, "p": 0.5},
        {"freq_mask_param": 1, "time_mask_param": 2, "p": 1.0},
    ],
    "time_shift": [{"max_shift": 0.0}, {"max_shift": 0.2}, {"max_shift": 0.5}],
    "token_swap": [{"alpha": 0.0}, {"alpha": 0.1}, {"alpha": 0.5}],
    "word_dropout": [{"p": 0.0}, {"p": 0.1}, {"p": 1.0}],
}
"""Their members are compared with solo runs in `test_augmentation`, on rows that they can act on."""
ROW_EXAMPLES = OF_IMAGES_AND_NUMBERS | OF_SEQUENCES
RATES = {"freeze": [{}, {}, {}], "layer_lr_decay": [{"decay": 1.0}, {"decay": 0.5}, {"decay": 0.8}]}
"""With all others at once `freeze` would leave them nothing to act on, and small rates would hide what they do."""
ALL_EXAMPLES = REGULARIZER_EXAMPLES | RATES | ROW_EXAMPLES

LAYER_EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "linear": [{}, {}, {}],
    "activation": [{}, {}, {}],
    "batch_norm": [{}, {}, {}],
    "conv2d": [{}, {}, {}],
    "drop_path": [{"p": 0.1}, {"p": 0.5}, {"p": 0.0}],
    "dropout": [{"p": 0.1}, {"p": 0.5}, {"p": 0.0}],
    "flatten": [{}, {}, {}],
    "pool": [{}, {}, {}],
    "residual": [{}, {}, {}],
    "transformer_block": [{"dropout": 0.0}, {"dropout": 0.2}, {"dropout": 0.5}],
}
LAYER_EXAMPLES |= {kind: [{}, {}, {}] for kind in LAYERS.keys() - LAYER_EXAMPLES.keys()}

PARTS = {
    **{f"optimizer {part.model_fields['kind'].default}": (part, OPTIMIZER_EXAMPLES) for part in OPTIMIZERS.values()},
    **{f"regularizer {kind}": (part, ALL_EXAMPLES) for kind, part in REGULARIZERS.items()},
    **{f"layer {part.model_fields['kind'].default}": (part, LAYER_EXAMPLES) for part in LAYERS.values()},
}
BASE_DATA = {"kind": "builtin", "name": "digits", "train_limit": 100}
PERCEPTRON = {"kind": "mlp", "hidden": [8], "activation": "tanh"}
RESIDUAL = {
    "kind": "layers",
    "layers": [
        {"kind": "linear", "features": 8},
        {"kind": "residual", "layers": [{"kind": "activation", "name": "tanh"}, {"kind": "linear", "features": 8}]},
        {"kind": "linear"},
    ],
}
NEEDED_MODELS = {"stochastic_depth": RESIDUAL}
"""By the kind of regularizer that acts on no other."""


SAME_FOR_ALL = {"knowledge_distillation": {"teacher": {"model": {"kind": "linear"}, "training": {"epochs": 1}}}}
"""By kind: what it cannot do without, and in which members must agree."""

_prepared = {}


def prepare_once(spec, data_dir=None, *, device="cpu"):
    """`prepare`, which a run of six epochs waits for as long as for all the rest."""
    key = (spec.data.model_dump_json(), spec.task.model_dump_json(), spec.training.precision)
    if key not in _prepared:
        _prepared[key] = prepare(spec, data_dir, device=device)
    return _prepared[key]


@pytest.fixture(autouse=True)
def _prepare_once(monkeypatch):
    monkeypatch.setattr(source, "prepare", prepare_once)


@pytest.fixture(autouse=True)
def _one_thread():
    """As `train` has it for small networks."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def jobs_of(optimizer="sgd", regularizers=("l1",), *, model=PERCEPTRON, models=None, fixed=None, **changes):
    """Three jobs that differ in all that these parts allow, and in their seeds."""
    fixed = SAME_FOR_ALL | (fixed or {})
    return [
        {
            "data": BASE_DATA,
            "model": models[k] if models else model,
            "optimizer": {"kind": optimizer} | OPTIMIZER_EXAMPLES[optimizer][k] | fixed.get(optimizer, {}),
            "regularizers": [{"kind": kind} | ALL_EXAMPLES[kind][k] | fixed.get(kind, {}) for kind in regularizers],
            "training": {"epochs": 6, "batch_size": 20, "seed": 11 + k, "precision": "float64"}
            | changes.get("training", {}),
            "resources": {"device": "cpu"},
        }
        | {name: value for name, value in changes.items() if name != "training"}
        for k in range(3)
    ]


def layered(layers):
    return {"kind": "layers", "layers": layers}


IMAGES = layered(
    [
        {"kind": "conv2d", "channels": 4, "kernel_size": 3},
        {"kind": "batch_norm"},
        {"kind": "activation", "name": "tanh"},
        {"kind": "pool", "size": 2},
        {"kind": "residual", "layers": [{"kind": "conv2d", "channels": 4, "padding": 1}, {"kind": "batch_norm"}]},
        {"kind": "linear"},
    ]
)
SHARED_STACKS = {"batch_norm", "conv2d", "pool", "residual"}
"""Layers that train together, in the stack `images`."""
DENSE = ("activation", "drop_path", "dropout", "flatten", "linear")
"""Layers whose forms are tried in one and the same network."""


def of_its_example(kind):
    """The network of the layer's example, for each member."""
    return [
        layered([layer | own if layer["kind"] == kind else layer for layer in LAYERS[kind].example["layers"]])
        for own in LAYER_EXAMPLES[kind]
    ]


def layer_jobs(kind):
    """A network in which this layer is, once for each form that it has."""
    forms = [{"name": name} for name in get_args(ActivationName)] if kind == "activation" else [{}]
    flat, hidden, output = {"kind": "flatten"}, {"kind": "linear", "features": 8}, {"kind": "linear", "bias": False}
    return {
        f"layer {kind}" + "".join(f" {value}" for value in form.values()): jobs_of(
            models=[layered([flat, hidden, {"kind": kind} | form | own, output]) for own in LAYER_EXAMPLES[kind]]
            if kind in ("activation", "drop_path", "dropout")
            else [layered([flat, hidden, {"kind": "activation", "name": "tanh"}, output])] * 3
        )
        for form in forms
    }


DIABETES = BASE_DATA | {"name": "diabetes"}
CANCER = BASE_DATA | {"name": "breast-cancer"}
WIDE = {"kind": "mlp", "hidden": [300], "activation": "tanh"}
GENTLE = {"sgd": {"learning_rate": 1e-4}}

STACKS = {
    **{f"optimizer {kind}": jobs_of(kind, ["l1", "dropout"]) for kind in OPTIMIZER_EXAMPLES},
    **{
        f"regularizer {kind}{'' if optimizer == 'sgd' else f', {optimizer}'}": jobs_of(
            optimizer, [kind], model=NEEDED_MODELS.get(kind, PERCEPTRON)
        )
        for kind in (*REGULARIZER_EXAMPLES, *RATES)
        for optimizer in ("sgd", "adam")
    },
    "regularizers of rows": jobs_of(
        "sgd", list(OF_IMAGES_AND_NUMBERS), training={"batch_size": 7, "grad_accumulation": 3}
    ),
    **{name: jobs for kind in DENSE for name, jobs in layer_jobs(kind).items()},
    "images": jobs_of(model=IMAGES),
    **{
        # Adam would make a step of the rounding where a gradient is 0: of a bias of keys, or in front of batch_norm.
        f"layer {kind}": jobs_of("sgd", [], models=of_its_example(kind), training={"epochs": 2})
        for kind, layer in LAYERS.items()
        if kind not in (*DENSE, *SHARED_STACKS)
        and layer.member_fields is not None
        and layer.example_data == Layer.example_data
    },
    "nesterov": jobs_of(fixed={"sgd": {"nesterov": True, "momentum": 0.9}}),
    "every regularizer at once": jobs_of("adam", list(REGULARIZER_EXAMPLES), model=RESIDUAL),
    "no regularizer": jobs_of("sgd", []),
    "wide, l1": jobs_of("sgd", ["l1"], model=WIDE, training={"epochs": 2}),
    "wide, elastic net, rmsprop": jobs_of("rmsprop", ["elastic_net"], model=WIDE, training={"epochs": 2}),
    "relu": jobs_of(model=PERCEPTRON | {"activation": "relu"}),
    "input dropout": jobs_of("sgd", ["dropout"], fixed={"dropout": {"where": "input"}}),
    "full batch": jobs_of(training={"batch_size": "full", "epochs": 30}),
    "rows that remain": jobs_of(training={"batch_size": 13}),
    "accumulated": jobs_of("sgd", ["dropout"], training={"batch_size": 7, "grad_accumulation": 3}),
    "balanced classes": jobs_of(data=CANCER, task={"class_weights": "balanced"}),
    "given class weights": jobs_of(data=CANCER, task={"class_weights": [1.0, 3.0]}),
    "binary": jobs_of(data=CANCER, task={"loss": "binary_cross_entropy"}),
    "binary, balanced classes": jobs_of(
        data=CANCER, task={"loss": "binary_cross_entropy", "class_weights": "balanced"}
    ),
    "squares": jobs_of(data=DIABETES, task={"loss": "mse"}, fixed=GENTLE),
    "half squares": jobs_of(data=DIABETES, task={"loss": "half_mse"}, fixed=GENTLE),
    "huber": jobs_of(data=DIABETES, task={"loss": "huber"}, fixed=GENTLE),
    "linear": jobs_of(model={"kind": "linear"}),
}
"""Three jobs each, that differ in every number in which they may."""


@pytest.mark.parametrize("name", [name for name, (part, _) in PARTS.items() if part.member_fields is not None])
def test_every_part_that_fuses_has_an_example_whose_members_differ_in_all_that_they_may(name):
    part, examples = PARTS[name]

    members = examples[part.model_fields["kind"].default]

    for field in part.member_fields:
        assert len({str(member[field]) for member in members}) > 1, f"the examples agree in {field}"
    for member in members:
        assert set(member) == set(part.member_fields)


def newcomers_of(jobs):
    return [Newcomer(str(k), make_plan(parse_spec(job))) for k, job in enumerate(jobs)]


def assert_equal(ours, solo):
    """Two results agree in the weights, and in every metric on the way and at the end."""
    torch.testing.assert_close(ours.model.state_dict(), solo.model.state_dict(), rtol=1e-8, atol=1e-8)
    assert ours.selected_epoch == solo.selected_epoch
    assert ours.metrics == pytest.approx(solo.metrics, rel=1e-8, abs=1e-8)
    for measured, expected in zip(ours.history, solo.history, strict=True):
        assert measured["epoch"] == expected["epoch"]
        assert measured["values"] == pytest.approx(expected["values"], rel=1e-8, abs=1e-8)


def trainer_of(*jobs, **options):
    """A trainer that has not begun, for those who stop it half-way or change a bit before; not of bfloat16."""
    plans = [make_plan(parse_spec(job)) for job in jobs]
    data = prepare_once(plans[0].resolved_spec)
    network = StackedNetwork(plans, dtype=data.train.x.dtype, device=torch.device("cpu"), autocast=False)
    members = [Member(str(k), plan, lambda record: None) for k, plan in enumerate(plans)]
    newcomers = [Newcomer(str(k), plan) for k, plan in enumerate(plans)]
    inputs = gather_inputs(newcomers, data, network, source.KnownSource(), Control())
    return Trainer(members, network, data, task_of(plans[0], data), inputs=inputs, **options)


@dataclass(frozen=True)
class Outcome:
    """What became of one member."""

    weights: dict[str, torch.Tensor] | None
    member: Member
    error: Exception | None


def finish(trainer):
    """The outcome of every member by its key; of those that train when it is stopped, as they are then."""
    ended = {}
    try:
        for ending in trainer.run():
            for k, member in enumerate(ending.members):
                weights = None if ending.network is None else ending.network.member_state(k)
                ended[member.key] = Outcome(weights, member, ending.error)
    except TrainingStopped as stopped:
        for k, member in enumerate(trainer.members):
            ended[member.key] = Outcome(trainer.stack.network.member_state(k), member, stopped)
    return ended


def alone(job, **options):
    """The outcome of its solo run."""
    return finish(trainer_of(job, **options))["0"]


def distance(ours, theirs):
    """‖ours − theirs‖ / ‖theirs‖ over all weights of a network."""
    square = sum((ours[name].double() - theirs[name].double()).square().sum() for name in theirs)
    return math.sqrt(square / sum(weight.double().square().sum() for weight in theirs.values()))


def in_precision(precision, jobs):
    return [job | {"training": job["training"] | {"precision": precision}} for job in jobs]


@pytest.mark.parametrize("name", STACKS)
def test_in_float64_a_member_ends_as_its_solo_run_does(name):
    jobs = STACKS[name]
    assert len({make_plan(parse_spec(job)).fusion_key for job in jobs} - {None}) == 1

    together = dict(train_group(newcomers_of(jobs)))

    for k, job in enumerate(jobs):
        assert_equal(together[str(k)], train(job))


def test_the_examples_of_early_stopping_stop_and_select_at_different_epochs():
    """Else the comparison above would say little of it."""
    members = [outcome.member for outcome in finish(trainer_of(*STACKS["regularizer early_stopping"])).values()]

    assert len({len(member.history) for member in members}) > 1
    assert any(member.selected_epoch < len(member.history) for member in members)


class StoppingAfterTenSteps(Control):
    """Asked before each step."""

    def __init__(self):
        self._steps = itertools.count()

    def should_stop(self):
        return next(self._steps) == 10


@pytest.mark.parametrize("name", STACKS)
def test_in_float32_the_first_ten_steps_are_those_of_the_solo_run(name):
    jobs = in_precision("float32", STACKS[name])

    together = finish(trainer_of(*jobs, control=StoppingAfterTenSteps()))

    for k, job in enumerate(jobs):
        solo = alone(job, control=StoppingAfterTenSteps())
        assert distance(together[str(k)].weights, solo.weights) < 1e-6


def changed_by_one_bit(job, position):
    """The outcome of the solo run with one bias of the last hidden or the output layer one unit in the last place up.

    Biases act on every row from the first step; a weight may be of a pixel that is always dark, or be shrunk to zero.
    """
    trainer = trainer_of(job)
    biases = [weight for name, weight in trainer.stack.network.tensors.items() if name.endswith(".bias")]
    flat = biases[position % len(biases)].detach().view(-1)
    place = position // len(biases) % len(flat)
    flat[place] = torch.nextafter(flat[place], torch.tensor(math.inf))
    return finish(trainer)["0"].weights


@pytest.mark.parametrize("name", STACKS)
def test_in_float32_the_end_is_within_rounding_or_no_further_than_one_bit_leads(name):
    """Up to here no training is chaotic, and rounding stays rounding; where it were, one bit would be the measure."""
    jobs = in_precision("float32", STACKS[name])

    together = finish(trainer_of(*jobs))

    for k, job in enumerate(jobs):
        solo = alone(job).weights
        ours = distance(together[str(k)].weights, solo)
        assert ours < 2e-6 or ours <= max(distance(changed_by_one_bit(job, place), solo) for place in range(8))


def test_in_float32_chaotic_training_ends_no_further_from_solo_than_one_bit_leads():
    """A large rate and momentum: after twelve epochs two runs that differ in one bit have nothing in common.

    Where such a run ends is a draw of luck. So the comparison is over twelve members, in the mean of logarithms, with
    the furthest of ten runs that differ from the solo run in one bit each.
    """
    jobs = [
        {
            "data": BASE_DATA,
            "model": {"kind": "mlp", "hidden": [16], "activation": "tanh"},
            "optimizer": {"kind": "sgd", "learning_rate": 0.5 + seed / 20, "momentum": 0.9 - seed / 200},
            "regularizers": [{"kind": "l1", "strength": 1e-4 * (1 + seed)}, {"kind": "dropout", "p": 0.1 + seed / 50}],
            "training": {
                "epochs": 12,
                "batch_size": 10,
                "seed": seed,
                "precision": "float32",
                "eval_every_epochs": 12,
            },
            "resources": {"device": "cpu"},
        }
        for seed in range(12)
    ]

    together = finish(trainer_of(*jobs))

    ours, furthest = [], []
    for k, job in enumerate(jobs):
        solo = alone(job).weights
        ours.append(distance(together[str(k)].weights, solo))
        furthest.append(max(distance(changed_by_one_bit(job, place), solo) for place in range(10)))
    assert min(furthest) > 1e-2, "training was to be chaotic"
    assert statistics.geometric_mean(ours) <= statistics.geometric_mean(furthest)


BFLOAT16_ROUNDING = 2**-8


@pytest.mark.parametrize(
    "name", ["optimizer sgd", "optimizer adamw", "accumulated", "wide, l1", "binary, balanced classes"]
)
def test_in_bfloat16_a_member_ends_within_its_rounding_and_nearer_to_solo_than_to_float32(name):
    jobs = in_precision("bfloat16", STACKS[name])

    together = dict(train_group(newcomers_of(jobs)))

    for k, (job, single) in enumerate(zip(jobs, in_precision("float32", jobs), strict=True)):
        ours, solo, exact = (result.model.state_dict() for result in (together[str(k)], train(job), train(single)))
        assert distance(ours, solo) < min(BFLOAT16_ROUNDING, distance(ours, exact))


class Surroundings(Control):
    """Member 2 falls at a rung of its own, member 3 is asked to leave before a step."""

    def __init__(self, *, rung, step):
        self._rung = rung
        self._calls = itertools.count()
        self._step = step

    def rungs(self, key):
        return Rungs(frozenset({self._rung})) if key == "2" else Rungs()

    def judge(self, epoch, values):
        return set(values)

    def leaving(self):
        return {"3": None} if next(self._calls) == self._step else {}


@pytest.mark.parametrize(
    "training",
    [{"batch_size": 20}, {"batch_size": 7, "grad_accumulation": 3, "eval_every_epochs": 2}],
    ids=["plain", "accumulated and seldom evaluated"],
)
def test_members_that_diverge_stop_fall_or_leave_do_not_disturb_the_others(training):
    """Ten members, four of which go in four ways; the stack is compacted each time."""
    ways = [
        {"learning_rate": 2.0, "patience": 1, "min_delta": 1e9},
        {"learning_rate": 1e9, "patience": 50, "min_delta": 0.0},
        *[{"learning_rate": 0.05 * (1 + k), "patience": 50, "min_delta": 0.0} for k in range(8)],
    ]
    jobs = [
        {
            "data": BASE_DATA | {"name": "diabetes"},
            "model": PERCEPTRON,
            "task": {"loss": "mse"},
            "optimizer": {"kind": "sgd", "learning_rate": 1e-3 * way["learning_rate"], "momentum": 0.9 - k / 20},
            "regularizers": [
                {"kind": "early_stopping", "patience": way["patience"], "min_delta": way["min_delta"]},
                {"kind": "l1", "strength": k / 100},
                {"kind": "dropout", "p": k / 20},
            ],
            "training": {"epochs": 10, "seed": k, "precision": "float64"} | training,
            "resources": {"device": "cpu"},
        }
        for k, way in enumerate(ways)
    ]

    together = dict(train_group(newcomers_of(jobs), control=Surroundings(rung=5, step=22)))

    assert together["0"].history[-1]["epoch"] < 10
    assert isinstance(together["1"], DivergedError)
    assert isinstance(together["2"], TrainingHalved)
    assert isinstance(together["3"], TrainingStopped)
    for k in (0, *range(4, len(jobs))):
        assert_equal(together[str(k)], train(jobs[k]))


def assert_same_members(after, before):
    """That the last two members of a tree are all of another."""
    assert after.keys() == before.keys()
    for name, node in before.items():
        if isinstance(node, dict):
            assert_same_members(after[name], node)
        else:
            assert torch.equal(after[name], node[-2:])


@pytest.mark.parametrize("name", [f"optimizer {kind}" for kind in OPTIMIZER_EXAMPLES] + ["every regularizer at once"])
def test_compaction_changes_no_bit_of_those_that_stay(name):
    trainer = trainer_of(*STACKS[name], control=StoppingAfterTenSteps())
    finish(trainer)
    before = trainer.state()
    assert before["keys"][-2:] == ["1", "2"]

    after = trainer.select(range(len(before["keys"]) - 2, len(before["keys"]))).state()

    assert after["keys"] == ["1", "2"]
    assert after["history"] == before["history"][-2:]
    assert_same_members(after["tree"], before["tree"])
