"""What people may have meant: names in other libraries, and the right place of a misplaced field."""

import json
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any, Final

from regcore.data.catalogue import BUILTIN, TORCHVISION
from regcore.spec.kinds import LAYERS, METRICS, MODELS, OPTIMIZERS, REGULARIZERS, TASKS

_MAX_WORDS: Final = 100
"""The most words to compare: an object with more of them is not a misspelling."""
_MAX_CHARACTERS: Final = 80
"""The longest word to compare; no field's name is half as long."""

_JOB_ID: Final = re.compile(r"job_[0-9A-Z]{26}")

_FIELDS: Final[Mapping[str, Sequence[str]]] = {
    "learning_rate": ["lr", "eta", "eta0", "step_size", "learningrate", "learning_rate_init"],
    "strength": [
        "lambda",
        "lam",
        "alpha",
        "l1",
        "l2",
        "reg_strength",
        "coefficient",
        "coef",
        "penalty",
        "weight",
        "weight_decay",
    ],
    "p": ["rate", "prob", "probability", "dropout", "dropout_rate", "drop_rate"],
    "std": ["sigma", "stddev", "standard_deviation"],
    "flip_probability": ["flip", "hflip", "p_flip", "flip_prob"],
    "metric": ["monitor"],
    "min_delta": ["delta", "tol", "tolerance"],
    "patience": ["n_iter_no_change"],
    "epochs": ["num_epochs", "n_epochs", "max_epochs", "nb_epoch", "max_iter", "iterations"],
    "batch_size": ["batch", "batchsize", "bs", "minibatch", "mini_batch_size"],
    "seed": ["random_state", "random_seed", "rng"],
    "split_seed": ["seed", "random_state", "random_seed", "rng"],
    "precision": ["dtype", "amp", "mixed_precision"],
    "hidden": [
        "units",
        "layers",
        "hidden_layers",
        "hidden_layer_sizes",
        "hidden_sizes",
        "hidden_dims",
        "hidden_units",
        "neurons",
    ],
    "features": ["units", "out_features", "size", "width", "neurons"],
    "channels": ["filters", "num_filters", "out_channels"],
    "width": ["d_model", "embed_dim", "hidden_size", "dim"],
    "depth": ["num_layers", "num_blocks", "num_encoder_layers"],
    "heads": ["num_heads", "nhead", "n_heads"],
    "feedforward": ["dim_feedforward", "ffn_dim", "mlp_dim"],
    "code": ["latent", "latent_dim", "bottleneck", "code_size", "embedding_dim"],
    "cell": ["cell_type", "rnn_type"],
    "bias": ["use_bias", "fit_intercept"],
    "validation_fraction": ["val_split", "validation_split", "val_size", "val_fraction", "validation_size"],
    "test_fraction": ["test_split", "test_size"],
    "standardize": ["normalize", "scale", "standardise"],
    "train_limit": ["limit", "num_rows", "n_samples", "max_rows"],
    "class_weights": ["class_weight"],
    "loss": ["criterion", "loss_function", "loss_fn", "objective"],
    "schedule": ["scheduler", "lr_scheduler", "lr_schedule", "learning_rate_schedule"],
    "warmup_epochs": ["warmup", "warm_up"],
    "every_epochs": ["step_size", "step", "period"],
    "gamma": ["factor", "decay"],
    "final_factor": ["eta_min", "min_lr"],
    "alpha": ["rho", "smoothing", "smoothing_constant"],
    "beta1": ["betas", "beta_1"],
    "eps": ["epsilon"],
    "device": ["gpu", "cuda", "use_gpu"],
    "max_runtime_s": ["timeout", "timeout_s", "time_limit", "max_time"],
    "max_memory_bytes": ["memory", "max_memory", "memory_limit"],
    "data": ["dataset", "data_set"],
    "model": ["network", "net", "architecture"],
    "optimizer": ["optim", "optimiser", "solver"],
    "regularizers": ["regularizer", "regularization", "regularisation", "regularisers", "penalties"],
    "labels": ["tags"],
    "init_from": ["pretrained", "weights"],
    "seeds": ["seed"],
    "base": ["spec", "job", "job_spec"],
    "axes": ["axis", "grid", "parameters", "params", "search_space"],
    "pointer": ["path", "parameter", "param"],
    "num_points": ["num", "n", "steps", "count", "points"],
    "low": ["min", "start", "from"],
    "high": ["max", "stop", "to", "end"],
    "num_trials": ["trials", "n_trials", "num_samples", "n_iter"],
    "min_epochs": ["min_resource"],
}
"""By field, its names in other libraries."""

_VALUES: Final[Mapping[str, Sequence[str]]] = {
    "validation/loss": ["val_loss", "valid_loss", "loss", "dev_loss"],
    "validation/accuracy": ["val_accuracy", "val_acc", "accuracy", "acc", "valid_accuracy"],
    "validation/balanced_accuracy": ["val_balanced_accuracy", "balanced_accuracy", "bac"],
    "validation/macro_f1": ["val_f1", "val_macro_f1", "macro_f1", "f1", "f1_macro", "f1_score"],
    "validation/auroc": ["val_auroc", "val_auc", "auroc", "auc", "roc_auc", "roc_auc_score"],
    "validation/average_precision": ["average_precision", "pr_auc", "auprc"],
    "validation/log_loss": ["val_log_loss", "log_loss"],
    "validation/top5_accuracy": ["top5_accuracy", "top_5", "top5"],
    "validation/reconstruction_error": ["reconstruction_error", "val_reconstruction_error", "reconstruction_loss"],
    "validation/r2": ["val_r2", "r2"],
    "validation/mae": ["val_mae", "mae"],
    "validation/rmse": ["val_rmse", "rmse", "root_mean_squared_error"],
    "cuda": ["gpu", "nvidia"],
    "cross_entropy": [
        "ce",
        "nll",
        "nll_loss",
        "categorical_crossentropy",
        "sparse_categorical_crossentropy",
        "softmax",
    ],
    "binary_cross_entropy": ["bce", "bce_with_logits", "logistic", "log_loss"],
    "mse": ["mean_squared_error", "l2", "squared_error"],
    "huber": ["mae", "l1", "smooth_l1", "mean_absolute_error"],
    "float32": ["float", "fp32", "single", "32"],
    "float64": ["double", "fp64", "64"],
    "bfloat16": ["bf16", "fp16", "float16", "half", "16"],
    "classification": ["classifier", "multiclass", "binary"],
    "regression": ["regressor"],
    "reconstruction": ["autoencoder", "autoencoding", "unsupervised"],
    "l1": ["lasso"],
    "l2": ["ridge", "tikhonov"],
    "early_stopping": ["early_stop"],
    "elastic_net": ["l1_l2", "l1l2", "elastic"],
    "crop_flip": [
        "crop",
        "random_crop",
        "flip",
        "horizontal_flip",
        "random_horizontal_flip",
        "shift",
        "random_shift",
        "translate",
        "random_translation",
        "augmentation",
    ],
    "random_erasing": ["random_erase", "erasing"],
    "input_noise": ["noise", "gaussian_noise", "add_gaussian_noise"],
    "word_dropout": ["token_dropout", "unk_dropout"],
    "token_swap": ["random_swap", "eda"],
    "spec_augment": ["time_masking", "frequency_masking", "time_mask", "frequency_mask"],
    "audio_noise": ["background_noise", "add_background_noise"],
    "mlp": ["dense", "fully_connected", "feedforward", "ffn", "nn", "neural_network"],
    "linear": ["dense", "fc", "logistic", "logistic_regression", "linear_regression", "softmax"],
    "layers": ["sequential"],
    "cnn": ["conv", "convnet", "conv_net", "convolutional", "convolutional_network"],
    "rnn": ["recurrent", "lstm", "gru", "elman"],
    "transformer": ["transformer_encoder", "encoder", "bert", "attention"],
    "autoencoder": ["auto_encoder", "ae", "dense_autoencoder", "convolutional_autoencoder"],
    "step": ["step_lr", "exponential", "exponential_lr", "exponential_decay", "multistep", "multistep_lr"],
    "cosine": ["cosine_annealing", "cosine_annealing_lr", "cosine_decay"],
    "silu": ["swish"],
    "full": ["all", "none"],
    "mean": ["average", "avg"],
    "min": ["minimize", "lower"],
    "max": ["maximize", "higher"],
    "halving": ["asha", "hyperband", "successive_halving"],
    "log": ["loguniform", "log_uniform", "geometric"],
}
"""By choice, its names in other libraries."""

_ELASTIC_NET: Final = "l1 = alpha * l1_ratio and l2 = alpha * (1 - l1_ratio), where alpha is the strength of both"

_ELSEWHERE: Final[Mapping[str, str]] = {
    "weight_decay": 'Use the regularizer {"kind": "weight_decay", "strength": 1e-4}, or optimizer adamw, which has it',
    "betas": "They are beta1 and beta2",
    "shuffle": "Rows are shuffled in each epoch, as training.seed says",
    "verbose": "Follow the job's events instead",
    "l1_ratio": f"Use the regularizer elastic_net with {_ELASTIC_NET}",
}
"""Advice about words that are not another name of a field."""

_OF_KIND: Final[Mapping[str, tuple[Sequence[str], str]]] = {
    "elastic_net": (["strength", *_FIELDS["strength"], "l1_ratio", "ratio", "rho"], f"Write {_ELASTIC_NET}"),
}
"""By kind of part, words that stand for several fields, with advice."""

_EXAMPLES: Final[Mapping[str, Sequence[Mapping[str, Any]]]] = {
    "data": [
        *({"kind": "builtin", "name": name} for name in BUILTIN),
        *({"kind": "torchvision", "name": name} for name in TORCHVISION),
    ],
    "model": [part.example for part in MODELS.values()],
    "optimizer": [{"kind": part.model_fields["kind"].default} for part in OPTIMIZERS.values()],
    "regularizers": [part.example for part in REGULARIZERS.values()],
    "schedule": [{"kind": kind} for kind in ("constant", "cosine", "step")],
    "layers": [{"kind": part.model_fields["kind"].default} for part in LAYERS.values()],
    "task": [{"kind": kind} for kind in TASKS],
    "resources": [{"device": "cpu"}, {"device": "cuda"}],
    "strategy": [{"kind": "grid"}, {"kind": "random", "num_trials": 20}, {"kind": "halving"}, {"kind": "ablation"}],
    "objective": [{"metric": f"validation/{name}"} for name in METRICS],
}
"""By field name, examples of what can be written there, each with its required fields."""


def same_word(received: Any, expected: Iterable[str]) -> str | None:
    """The expected word that the received one spells differently, or calls by another library's name."""
    known = {letters(word): word for word in expected}
    said = letters(received)
    for spelling in (said, said.rstrip("0123456789")):  # cuda:0
        if spelling in known:
            return known[spelling]
    for word, others in (*_FIELDS.items(), *_VALUES.items()):
        if letters(word) in known and said in map(letters, others):
            return known[letters(word)]
    return None


def meant(received: Any, expected: Iterable[str]) -> str | None:
    """The expected word that the received one is, or misspells; of very many only the first are compared."""
    words = list(islice(expected, _MAX_WORDS))
    close = get_close_matches(letters(received), map(letters, words), n=1, cutoff=0.6)
    return same_word(received, words) or (same_word(close[0], words) if close else None)


def suggest(received: Any, expected: Iterable[str]) -> str:
    """` Did you mean 'x'?` if an expected word is likely meant, else nothing."""
    found = meant(received, expected)
    return "" if found is None else f" Did you mean {found!r}?"


def say_where(word: str, known: Sequence[str], homes: Mapping[str, str], kind: Any = None) -> str:
    """Advice about a misplaced or unknown field; empty if there is none.

    Args:
        word: The field's name, as it was written.
        known: The fields that exist there.
        homes: Where each field of the spec is.
        kind: The kind of the object that it was written in; any value if that has none.
    """
    for known_kind, (words, said) in _OF_KIND.items():
        if kind == known_kind and letters(word) in map(letters, words):
            return f" {said}."
    here = same_word(word, known)
    if here is not None:
        return f" Did you mean {here!r}?"
    if letters(word) in map(letters, _ELSEWHERE):
        return f" {next(said for name, said in _ELSEWHERE.items() if letters(name) == letters(word))}."
    regularizer = same_word(word, [part.example["kind"] for part in REGULARIZERS.values()])
    if regularizer is not None:
        return f" Regularizers are a list: {json.dumps({'regularizers': [REGULARIZERS[regularizer].example]})}."
    others = [name for name, others in _FIELDS.items() if letters(word) in map(letters, others)]
    names = [word] if letters(word) in homes else others
    found = [homes[letters(name)] for name in names if letters(name) in homes]
    return f" It is {' or '.join(dict.fromkeys(found))}." if found else suggest(word, known)


def say_how(received: Any, field: str, *, in_list: bool) -> str:
    """How to write a value that came as a word, or as an object for a list; empty if unknown.

    Args:
        received: What came.
        field: The name of the field that it is in.
        in_list: Whether a list is expected.
    """
    if in_list and is_number(received):
        return f" Write {json.dumps([json.loads(received)])}."
    if in_list and isinstance(received, int | float) and not isinstance(received, bool):
        return f" Write {json.dumps([received])}."
    if not in_list and isinstance(received, str) and _JOB_ID.fullmatch(received):
        return f" Write {json.dumps({'job_id': received})}."
    examples = _EXAMPLES.get(field, [])
    given = received if isinstance(received, Mapping) else [received] if isinstance(received, str) else []
    words = list(islice(given, _MAX_WORDS))
    if in_list and isinstance(received, Mapping) and received.keys() & {"kind", "pointer"}:
        return " Put it into a list."
    fitting = [found for word in words if (found := _example(word, examples, meant)) is not None]
    if not fitting:
        return f" Write for example {json.dumps(examples[0])}." if examples and not in_list else ""
    return f" Write {json.dumps(fitting if in_list else fitting[0])}."


def say_kind(received: Any, field: str) -> str:
    """How to write an object whose kind is missing, or belongs to another field; empty if unknown.

    Args:
        received: The object, whose kind may be in any name or value; or the word.
        field: The name of the field that it is in.
    """
    given = received if isinstance(received, Mapping) else {"kind": received}
    pairs = list(islice(given.items(), _MAX_WORDS))
    words = [*((value, name) for name, value in pairs), *((name, "kind") for name, _ in pairs)]
    for word, name in words:
        found = _example(word, _EXAMPLES.get(field, []), same_word) if isinstance(word, str) else None
        if found is not None:
            instead = "" if name in found else f"kind instead of {name}, "
            return f" Write {instead}for example {json.dumps(found)}."
    return ""


def _example(
    word: str, examples: Sequence[Mapping[str, Any]], find: Callable[[str, Iterable[str]], str | None]
) -> Mapping[str, Any] | None:
    """The first example that contains the word."""
    found = find(word, [value for one in examples for value in one.values() if isinstance(value, str)])
    return next((one for one in examples if found in one.values()), None) if found is not None else None


def letters(word: Any) -> str:
    """A word independent of its spelling: `ReLU`, `early-stopping`, `BatchSize`."""
    text = word[:_MAX_CHARACTERS] if isinstance(word, str) else reprlib.repr(word)
    return "".join(letter for letter in text.lower() if letter.isalnum())


def is_number(received: Any) -> bool:
    """Whether it is a number in quotes."""
    if not isinstance(received, str) or len(received) > _MAX_CHARACTERS:
        return False
    return re.fullmatch(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", received.strip()) is not None
