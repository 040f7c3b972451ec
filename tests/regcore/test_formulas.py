"""Each documented formula, written out again in NumPy and held to what is computed: at ties, first and last step.

A formula that is reworded fails here until what executes it has been read against it.
"""

from functools import partial

import numpy as np
import pytest
import torch
from effects import bind_effect

from regcore.at import At
from regcore.layers import Dropout as DropoutLayer
from regcore.layers.forward import ForwardPass, bind
from regcore.optim import SGD, Adam, AdamW, RMSprop
from regcore.schedule import CosineSchedule
from regcore.shapes import RowInfo
from regcore.spec.kinds import OPTIMIZERS, REGULARIZERS

NAME = "head.weight"
NUM_STEPS = 6
START = np.array([0.5, -0.5, 0.25, 0.0, -0.0, 1.0])
GRADIENTS = [np.array([1.0, -1.0, 0.0, 0.0, 2.0, -0.25]) * (step - 2) for step in range(NUM_STEPS)]
COSINE = CosineSchedule(final_factor=0.25)
"""Six steps of it, by hand: from the whole rate to a quarter, both ends included."""
FACTORS = [0.25 + 0.75 * (1 + np.cos(np.pi * step / 5)) / 2 for step in range(NUM_STEPS)]


def place(step):
    return At(step, 3, NUM_STEPS)


def steps_of(spec):
    """The weights after each step of an optimizer on given gradients."""
    weights = {NAME: torch.from_numpy(START.copy())[None, None]}
    update = type(spec).bind([spec])
    update.state = update.start(weights)
    seen = []
    for step, gradient in enumerate(GRADIENTS):
        update.step(weights, {NAME: torch.from_numpy(gradient.copy())[None, None]}, {}, place(step))
        seen.append(weights[NAME][0, 0].numpy().copy())
    return np.stack(seen)


def sgd(eta, mu, *, nesterov):
    w, v = START.copy(), 0
    for factor, g in zip(FACTORS, GRADIENTS, strict=True):
        v = mu * v + g
        w = w - factor * eta * (g + mu * v if nesterov else v)
        yield w


def adam(eta, beta1, beta2, eps, decay=0.0):
    w, m, v = START.copy(), 0, 0
    for t, (factor, g) in enumerate(zip(FACTORS, GRADIENTS, strict=True), start=1):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        w = (1 - factor * eta * decay) * w - factor * eta * m_hat / (np.sqrt(v_hat) + eps)
        yield w


def rmsprop(eta, alpha, eps, mu):
    w, s, v = START.copy(), 0, 0
    for factor, g in zip(FACTORS, GRADIENTS, strict=True):
        s = alpha * s + (1 - alpha) * g**2
        v = mu * v + g / (np.sqrt(s) + eps)
        w = w - factor * eta * v
        yield w


SGD_FORMULA = "v ← μv + g;  w ← w − ηv   (Nesterov: w ← w − η(g + μv))"
ADAM_FORMULA = "w ← w − η·m̂/(√v̂ + ε)"
OPTIMIZER_FORMULAS = [
    (SGD(learning_rate=0.1, momentum=0.0, schedule=COSINE), SGD_FORMULA, partial(sgd, 0.1, 0, nesterov=False)),
    (SGD(learning_rate=0.1, momentum=0.7, schedule=COSINE), SGD_FORMULA, partial(sgd, 0.1, 0.7, nesterov=False)),
    (
        SGD(learning_rate=0.1, momentum=0.7, nesterov=True, schedule=COSINE),
        SGD_FORMULA,
        partial(sgd, 0.1, 0.7, nesterov=True),
    ),
    (Adam(learning_rate=0.1, schedule=COSINE), ADAM_FORMULA, partial(adam, 0.1, 0.9, 0.999, 1e-8)),
    (
        AdamW(learning_rate=0.1, weight_decay=0.3, schedule=COSINE),
        "w ← (1 − ηλ)w − η·m̂/(√v̂ + ε)",
        partial(adam, 0.1, 0.9, 0.999, 1e-8, 0.3),
    ),
    (
        RMSprop(learning_rate=0.1, momentum=0.6, schedule=COSINE),
        "s ← αs + (1−α)g²;  v ← μv + g/(√s + ε);  w ← w − ηv",
        partial(rmsprop, 0.1, 0.99, 1e-8, 0.6),
    ),
]


@pytest.mark.parametrize(("spec", "formula", "expected"), OPTIMIZER_FORMULAS, ids=lambda one: getattr(one, "kind", ""))
def test_every_step_of_an_optimizer_is_that_of_its_formula(spec, formula, expected):
    assert spec.formula == formula
    assert steps_of(spec) == pytest.approx(np.stack(list(expected())), rel=1e-12, abs=1e-15)


def test_every_optimizers_formula_is_executed():
    assert {type(spec) for spec, *_ in OPTIMIZER_FORMULAS} == set(OPTIMIZERS.values())


def one_step(regularizer, step, *, rate=0.5):
    """The weights after a step of plain descent without any data."""
    weights = {NAME: torch.from_numpy(START.copy())[None, None]}
    effect, update = bind_effect([regularizer], weights), SGD.bind([SGD(learning_rate=rate, momentum=0.0)])
    gradients = {NAME: torch.zeros(1, 1, len(START), dtype=torch.float64)}
    update.step(weights, gradients, effect.elementwise(update, place(step)), place(step))
    return weights[NAME][0, 0].numpy()


def penalty_of(regularizer, step):
    weights = {NAME: torch.from_numpy(START.copy())[None, None]}
    return bind_effect([regularizer], weights).penalty(weights, place(step)).item()


def make(kind, **fields):
    return REGULARIZERS[kind](**fields, **({} if kind in ("dropout", "early_stopping") else {"schedule": COSINE}))


def soft(w, threshold):
    """Weights as large as the threshold become zero too."""
    return np.array([0.0 if abs(one) <= threshold else one - np.sign(one) * threshold for one in w])


L1_FORMULA = "λ‖w‖₁"
PENALTIES = {
    "l1": (make("l1", strength=1.0), L1_FORMULA, lambda f: f * np.abs(START).sum(), lambda f: soft(START, 0.5 * f)),
    "l1 by subgradient": (
        make("l1", strength=1.0, method="subgradient"),
        L1_FORMULA,
        lambda f: f * np.abs(START).sum(),
        lambda f: START - 0.5 * f * np.sign(START),
    ),
    "l2": (
        make("l2", strength=0.8),
        "(λ/2)‖w‖²; λ is torch.optim.SGD's weight_decay, and twice the c of Keras's L2(c)",
        lambda f: f * 0.8 / 2 * (START**2).sum(),
        lambda f: START - 0.5 * f * 0.8 * START,
    ),
    "elastic_net": (
        make("elastic_net", l1=0.8, l2=0.4),
        "λ₁‖w‖₁ + (λ₂/2)‖w‖²; scikit-learn's α and r: λ₁ = αr, λ₂ = α(1−r)",
        lambda f: f * (0.8 * np.abs(START).sum() + 0.4 / 2 * (START**2).sum()),
        lambda f: soft(START - 0.5 * f * 0.4 * START, 0.5 * f * 0.8),
    ),
    "weight_decay": (make("weight_decay", strength=0.8), "w ← (1 − ηλ)w", None, lambda f: (1 - 0.5 * f * 0.8) * START),
}


@pytest.mark.parametrize("step", [0, NUM_STEPS - 1], ids=["first step", "last step"])
@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_and_its_step_are_those_of_its_formula(name, step):
    regularizer, formula, penalty, moved = PENALTIES[name]
    factor = {0: 1.0, NUM_STEPS - 1: 0.25}[step]

    assert regularizer.formula == formula
    assert one_step(regularizer, step) == pytest.approx(moved(factor), rel=1e-12, abs=1e-15)
    if penalty is None:
        assert not regularizer.adds_to_objective
    else:
        assert penalty_of(regularizer, step) == pytest.approx(penalty(factor), rel=1e-12)


def test_a_weight_at_the_threshold_is_exactly_zero():
    """0.5 · 1 takes off what weights of ±0.5 have, and leaves −0 of none."""
    assert one_step(make("l1", strength=1.0), 0).tolist() == [0, 0, 0, 0, 0, 0.5]


@pytest.mark.parametrize("p", [0.0, 0.25, 0.5])
def test_dropout_gives_the_values_of_its_formula_and_no_others(p):
    assert REGULARIZERS["dropout"].formula == "h ← h · m/(1 − p),  m ~ Bernoulli(1 − p)"
    h = torch.full((1, 100, 100), 3.0, dtype=torch.float64)

    (dropout,) = bind([[DropoutLayer(p=p)]], RowInfo((100,)))
    given = ForwardPass({}, At(0, 1, 1, seeds=(0,))).run([dropout], h)

    m = given / 3 * (1 - p)
    assert set(m.unique().tolist()) == ({0.0, 1.0} if p else {1.0})
    assert m.mean().item() == pytest.approx(1 - p, abs=4 * np.sqrt(p * (1 - p)) / 100)


ELSEWHERE = {
    "audio_noise": "test_audio_noise.snr_db, and the law of the noise",
    "crop_flip": "test_crop_flip.candidates",
    "cutmix": "test_cutmix.reference_areas, the authors' code; shares of pixels",
    "cutout": "test_cutout.squares",
    "early_stopping": "test_early_stopping.by_the_page",
    "ema": "test_ema.averaged_by_hand",
    "grad_clip": "test_grad_clip: as torch clips, which says the same",
    "input_noise": "test_input_noise: the law of the noise, and that of its effect on a linear model",
    "l0": "test_l0.chance_of_being_open",
    "random_erasing": "test_random_erasing: the rectangles of torchvision",
    "sam": "test_sam: on a quadratic",
    "spec_augment": "test_spec_augment: the laws of widths and places",
    "spectral_norm": "test_spectral_norm: the parametrization of torch",
    "stochastic_depth": "test_stochastic_depth: the ramp; test_drop_path: the law",
    "swap_noise": "test_swap_noise: cells that say where they are from",
    "time_shift": "test_time_shift.shifts_of, by numpy.roll",
    "token_swap": "test_token_swap: tokens that say where they were",
    "word_dropout": "test_word_dropout: the rate",
}
"""What executes the formula, in a test of the regularizer's own, which holds it to these words."""


BY_LIBRARIES = {
    "activity": "λ/B · Σ_rows Σ_layers ‖h‖₁, or ‖h‖² without a half, as Keras has it; "
    "steps that a sequence does not use are left out",
    "freeze": "θ ← θ₀ for each selected tensor; by default all but those of the output layer",
    "group_lasso": "λ Σ_g √d_g ‖w_g‖,  d_g the number of weights in group g",
    "knowledge_distillation": (
        "(1 − α)·CE(y, softmax(z)) + α·T²·KL(softmax(t/T) ‖ softmax(z/T)),  t: the teacher's logits, z: the network's"
    ),
    "label_smoothing": "y ← (1 − ε)·y + ε/C, over C classes: the loss is (1 − ε)·CE + ε·CE(uniform)",
    "layer_lr_decay": "η_l = η · decay^d,  d = 0 for the output layer, 1 for the layer before it, …",
    "max_norm": "w_i ← w_i · min(1, c/‖w_i‖), for each unit i: a row of a matrix, a filter, a gate",
    "mixup": "x ← λx + (1 − λ)x′,  y ← λy + (1 − λ)y′,  λ ~ Beta(α, α) once for a batch,  (x′, y′) its rows in another "
    "order",
    "r_drop": "½(CE(p₁) + CE(p₂)) + λ·½(KL(p₁‖p₂) + KL(p₂‖p₁)): sums over the classes, means over the rows",
}
"""Formulas that the regularizers' own tests hold to torch, Keras or a law: read against those in these words."""


@pytest.mark.parametrize("kind", BY_LIBRARIES)
def test_a_formula_that_a_library_confirms_has_the_words_in_which_it_was_read(kind):
    assert REGULARIZERS[kind].formula == BY_LIBRARIES[kind]


def test_every_regularizers_formula_is_executed():
    executed = {regularizer.kind for regularizer, *_ in PENALTIES.values()} | {"dropout", *ELSEWHERE, *BY_LIBRARIES}

    assert executed == set(REGULARIZERS)
