from typing import Any

import pytest

from regcore.errors import SpecError
from regcore.spec import JobSpec, parse_spec
from regcore.spec.hints import meant

SPEC: dict[str, Any] = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "mlp", "hidden": [4]}}


def errors_of(part: dict[str, Any]) -> dict[str, str]:
    """What is said by each place, which must be the same of a spec as JSON and of one in Python."""
    said = []
    for make in (lambda: parse_spec(SPEC | part), lambda: JobSpec(**SPEC | part)):
        with pytest.raises(SpecError) as caught:
            make()
        said.append({error.pointer: error.message for error in caught.value.errors})
    assert said[0] == said[1]
    return said[0]


@pytest.mark.parametrize(
    ("part", "pointer", "hint"),
    [
        ({"lr": 0.1}, "/lr", "It is optimizer.learning_rate."),
        ({"optimizer": {"kind": "adam", "lr": 0.1}}, "/optimizer/lr", "Did you mean 'learning_rate'?"),
        ({"training": {"learning_rate": 0.1}}, "/training/learning_rate", "It is optimizer.learning_rate."),
        ({"regularizers": [{"kind": "l1", "lambda": 0.1}]}, "/regularizers/0/lambda", "Did you mean 'strength'?"),
        ({"regularizers": [{"kind": "l2", "alpha": 0.1}]}, "/regularizers/0/alpha", "Did you mean 'strength'?"),
        ({"optimizer": {"kind": "adam", "weight_decay": 0.1}}, "/optimizer/weight_decay", "or optimizer adamw"),
        ({"optimizer": {"kind": "sgd", "weight_decay": 0.1}}, "/optimizer/weight_decay", '{"kind": "weight_decay"'),
        (
            {"regularizers": [{"kind": "early_stopping", "monitor": "val_loss"}]},
            "/regularizers/0/monitor",
            "Did you mean 'metric'?",
        ),
        (
            {"regularizers": [{"kind": "early_stopping", "metric": "val_loss"}]},
            "/regularizers/0/metric",
            "Did you mean 'validation/loss'?",
        ),
        (
            {"regularizers": [{"kind": "early_stopping", "metric": "val_accuracy"}]},
            "/regularizers/0/metric",
            "Did you mean 'validation/accuracy'?",
        ),
        ({"regularizers": [{"kind": "random_crop"}]}, "/regularizers/0/kind", "Did you mean 'crop_flip'?"),
        ({"regularizers": [{"kind": "SpecAugment"}]}, "/regularizers/0/kind", "Did you mean 'spec_augment'?"),
        ({"regularizers": [{"kind": "input_noise", "sigma": 1}]}, "/regularizers/0/sigma", "Did you mean 'std'?"),
        ({"optimizer": {"kind": "sgd", "schedule": "cosine"}}, "/optimizer/schedule", 'Write {"kind": "cosine"}.'),
        ({"data": "digits"}, "/data", 'Write {"kind": "builtin", "name": "digits"}.'),
        ({"data": "mnist"}, "/data", 'Write {"kind": "torchvision", "name": "MNIST"}.'),
        ({"data": {"name": "digits"}}, "/data/kind", "one of arrays, builtin, dataset, file, torchvision"),
        ({"model": "mlp"}, "/model", 'Write {"kind": "mlp", "hidden": [32]'),
        ({"optimizer": "Adam"}, "/optimizer", 'Write {"kind": "adam"}.'),
        ({"regularizers": {"l1": 0.1}}, "/regularizers", 'Write [{"kind": "l1", "strength": 0.001}].'),
        ({"regularizers": ["l1"]}, "/regularizers/0", 'Write {"kind": "l1", "strength": 0.001}.'),
        ({"regularizers": "dropout"}, "/regularizers", 'Write [{"kind": "dropout", "p": 0.2}].'),
        ({"regularizers": {"kind": "l1", "strength": 1}}, "/regularizers", "Put it into a list."),
        ({"epochs": 3}, "/epochs", "It is training.epochs."),
        ({"batch_size": 3}, "/batch_size", "It is training.batch_size."),
        ({"seed": 3}, "/seed", "It is training.seed."),
        ({"hidden": [3]}, "/hidden", "It is model.hidden of kind autoencoder, cnn, mlp, rnn or"),
        ({"model": {"kind": "mlp", "hidden_layers": [3]}}, "/model/hidden_layers", "Did you mean 'hidden'?"),
        ({"model": {"kind": "mlp", "hidden": 32}}, "/model/hidden", "Write [32]."),
        ({"model": {"kind": "mlp", "hidden": [3], "activation": "ReLU"}}, "/model/activation", "mean 'relu'?"),
        ({"regularizers": [{"kind": "dropout", "rate": 0.1}]}, "/regularizers/0/rate", "Did you mean 'p'?"),
        ({"regularizers": [{"kind": "lasso", "strength": 1.0}]}, "/regularizers/0/kind", "Did you mean 'l1'?"),
        ({"resources": {"device": "gpu"}}, "/resources/device", "Did you mean 'cuda'?"),
        (
            {"model": {"kind": "layers", "layers": [{"kind": "pool", "method": "avg"}, {"kind": "linear"}]}},
            "/model/layers/0/method",
            "Did you mean 'mean'?",
        ),
        ({"resources": {"device": "cuda:0"}}, "/resources/device", "Did you mean 'cuda'?"),
        ({"device": "cuda"}, "/device", "It is resources.device."),
        ({"task": {"loss": "bce"}}, "/task/loss", "Did you mean 'binary_cross_entropy'?"),
        ({"task": {"loss": "crossentropy"}}, "/task/loss", "Did you mean 'cross_entropy'?"),
        ({"task": {"loss": "mae"}}, "/task/loss", "Did you mean 'huber'?"),
        (
            {"training": {"momentum": 0.9}},
            "/training/momentum",
            "It is model.layers.momentum of kind batch_norm or optimizer.momentum of kind rmsprop, sgd.",
        ),
        ({"early_stopping": True}, "/early_stopping", 'list: {"regularizers": [{"kind": "early_stopping"'),
        ({"gamma": 0.5}, "/gamma", "optimizer.schedule.gamma of kind step"),
        ({"training": {"optimizer": "adam"}}, "/training/optimizer", "optimizer, a field of the whole"),
        ({"training": {"epochs": "3"}}, "/training/epochs", "Write it without quotes."),
        ({"training": {"epoch": 3}}, "/training/epoch", "Did you mean 'epochs'?"),
        ({"data": {**SPEC["data"], "random_state": 3}}, "/data/random_state", "Did you mean 'split_seed'?"),
        ({"data": {**SPEC["data"], "seed": 3}}, "/data/seed", "Did you mean 'split_seed'?"),
        ({"random_state": 3}, "/random_state", "It is training.seed or data.split_seed."),
        (
            {"optimizer": {"type": "adam"}},
            "/optimizer/kind",
            'Write kind instead of type, for example {"kind": "adam"}.',
        ),
        (
            {"optimizer": {"kind": "sgd", "schedule": {"type": "cosine"}}},
            "/optimizer/schedule/kind",
            '{"kind": "cosine"}.',
        ),
        (
            {"regularizers": [{"name": "l1"}]},
            "/regularizers/0/kind",
            'Write kind instead of name, for example {"kind": "l1"',
        ),
        (
            {"regularizers": [{"l1": 0.1}]},
            "/regularizers/0/kind",
            'Write for example {"kind": "l1", "strength": 0.001}.',
        ),
        ({"regularizers": [{"kind": "l1", "l1": 0.1}]}, "/regularizers/0/l1", "Did you mean 'strength'?"),
        (
            {"regularizers": [{"kind": "l1", "strength": 1, "l1_ratio": 1}]},
            "/regularizers/0/l1_ratio",
            "elastic_net with l1 =",
        ),
        ({"data": {"kind": "digits"}}, "/data/kind", 'Write for example {"kind": "builtin", "name": "digits"}.'),
        ({"data": {"name": "digits"}}, "/data/kind", 'Write for example {"kind": "builtin", "name": "digits"}.'),
        ({"task": "regression"}, "/task", 'Write {"kind": "regression"}.'),
        ({"resources": "gpu"}, "/resources", 'Write {"device": "cuda"}.'),
        ({"optimizer": {"kind": "rmsprop", "rho": 0.9}}, "/optimizer/rho", "Did you mean 'alpha'?"),
        ({"rho": 0.9}, "/rho", "It is regularizers.rho of kind sam."),
        ({"early_stop": True}, "/early_stop", 'list: {"regularizers": [{"kind": "early_stopping"'),
        ({"lasso": 0.1}, "/lasso", 'list: {"regularizers": [{"kind": "l1"'),
        ({"model": {"kind": "mlp", "hidden": "128"}}, "/model/hidden", "Write [128]."),
        (
            {"optimizer": {"kind": "sgd", "schedule": {"kind": "exponentialLR"}}},
            "/optimizer/schedule/kind",
            "mean 'step'?",
        ),
        ({"model": {"kind": "mlp", "layers": [8]}}, "/model/layers", "Did you mean 'hidden'?"),
    ],
    ids=str,
)
def test_the_words_that_people_bring_are_understood(part: dict[str, Any], pointer: str, hint: str) -> None:
    assert hint in errors_of(part)[pointer]


@pytest.mark.parametrize("word", ["alpha", "lambda", "strength", "l1_ratio"])
def test_the_two_strengths_of_an_elastic_net_are_told_for_one(word: str) -> None:
    told = errors_of({"regularizers": [{"kind": "elastic_net", "l1": 1.0, "l2": 1.0, word: 0.5}]})

    assert list(told) == [f"/regularizers/0/{word}"]
    assert told[f"/regularizers/0/{word}"].endswith(
        "Write l1 = alpha * l1_ratio and l2 = alpha * (1 - l1_ratio), where alpha is the strength of both."
    )


def test_what_is_no_list_of_numbers_is_not_to_be_put_into_one() -> None:
    (said,) = errors_of({"model": {"kind": "mlp", "hidden": {"units": 3}}}).values()

    assert said.endswith("Correct the value.")


def test_a_field_that_is_not_there_is_told_those_that_are() -> None:
    (said,) = errors_of({"task": {"colour": "red"}}).values()

    assert "there are kind, loss, class_weights" in said


@pytest.mark.parametrize("word", ["", "xyz", "é", "1"])
def test_what_is_like_nothing_is_taken_for_nothing(word: str) -> None:
    assert meant(word, ["learning_rate", "schedule"]) is None


def test_a_spec_in_another_model_is_parsed_as_pydantic_parses() -> None:
    spec = JobSpec.model_validate(SPEC)

    assert spec == JobSpec(**SPEC) == parse_spec(SPEC)
