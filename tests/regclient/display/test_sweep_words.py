from typing import Any

import pytest

from regclient.display.sweep_numbers import contrasts_of_comparison
from regclient.display.sweep_words import axis_label, contrast_sentences, path_sentences

BASE = {
    "regularizers": [
        {"kind": "l1", "strength": 0.1},
        {"kind": "dropout", "p": 0.5},
        {"kind": "elastic_net", "l1": 0.1, "l2": 0.1},
        {"kind": "weight_decay", "strength": 0.1},
        {"kind": "early_stopping", "patience": 3},
        {"kind": "l2", "strength": 0.1, "schedule": {"kind": "constant"}},
    ],
    "model": {"kind": "mlp", "hidden": [8]},
}


@pytest.mark.parametrize(
    ("pointer", "label"),
    [
        ("/regularizers/0/strength", "L1 strength"),
        ("/regularizers/1/p", "dropout probability"),
        ("/regularizers/2/l2", "elastic net L2 strength"),
        ("/regularizers/3/strength", "weight decay strength"),
        ("/regularizers/4/patience", "early stopping patience (epochs)"),
        ("/regularizers/5/schedule/warmup_epochs", "L2 schedule warm-up (epochs)"),
        ("/regularizers/9/strength", "/regularizers/9/strength"),
        ("/regularizers/-/strength", "/regularizers/-/strength"),
        ("/regularizers/1", "/regularizers/1"),
        ("/optimizer/learning_rate", "learning rate"),
        ("/training/batch_size", "batch size (rows)"),
        ("/data/train_limit", "training rows"),
        ("/model/hidden/0", "units of hidden layer 1"),
        ("/model/width", "model width"),
        ("/model/layers/0/p", "/model/layers/0/p"),
        ("", ""),
    ],
)
def test_an_axis_is_named_in_words_or_by_its_pointer(pointer: str, label: str) -> None:
    assert axis_label(pointer, BASE) == label


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        ("l0", "L0"),
        ("ema", "EMA"),
        ("sam", "SAM"),
        ("r_drop", "R-Drop"),
        ("group_lasso", "group lasso"),
        ("acme", "acme"),
    ],
)
def test_a_kind_is_called_as_in_its_paper(kind: str, label: str) -> None:
    assert axis_label("/regularizers/0/strength", {"regularizers": [{"kind": kind}]}) == f"{label} strength"


def test_a_base_without_regularizers_leaves_the_pointer() -> None:
    assert axis_label("/regularizers/0/strength", {}) == "/regularizers/0/strength"


def test_a_path_says_the_best_and_the_simplest_within_a_standard_error(path: dict[str, Any]) -> None:
    assert path_sentences(path, "L1 strength") == [
        "Best validation/loss: 0.4, at L1 strength 0.001.",
        "0.01 is the strongest value within one standard error of it, so hardly worse.",
    ]


@pytest.mark.parametrize(
    ("values", "best", "said"),
    [
        ((1e-4, 1e-3, 1e-2), 1e-4, "The best value is the smallest that was tried: widen the range below it."),
        ((1e-4, 1e-3, 1e-2), 1e-2, "The best value is the largest that was tried: widen the range above it."),
        ((0.0, 1e-3, 1e-2), 0.0, "The best value is 0: it does better without."),
        ((1e-4, 1e-3, 1e-2), 1e-3, None),
    ],
)
def test_a_best_value_at_the_edge_is_pointed_out(
    path: dict[str, Any], values: tuple[float, ...], best: float, said: str | None
) -> None:
    for point, value in zip(path["points"], values, strict=True):
        point["value"] = value
    path |= {"best_value": best, "one_standard_error_value": None}

    assert path_sentences(path, "L1 strength")[1:] == ([] if said is None else [said])


def test_one_value_alone_has_no_edge_and_the_server_s_note_comes_last(path: dict[str, Any]) -> None:
    path |= {"points": path["points"][:1], "best_value": 1e-4, "one_standard_error_value": None, "note": "One seed."}

    assert path_sentences(path, "L1 strength")[1:] == ["One seed."]


def test_a_best_value_that_regularizes_most_is_said_to_be_both(path: dict[str, Any]) -> None:
    path["one_standard_error_value"] = path["best_value"]

    assert "No stronger value" in path_sentences(path, "L1 strength")[1]


def test_members_that_are_missing_make_it_the_best_so_far(path: dict[str, Any]) -> None:
    path["points"][0]["num_missing"] = 1

    assert path_sentences(path, "L1 strength")[0].startswith("Best validation/loss so far: ")


def test_no_value_is_no_sentence_but_the_note(path: dict[str, Any]) -> None:
    path |= {"best_value": None, "note": "No member has the objective."}

    assert path_sentences(path, "L1 strength") == ["No member has the objective."]


def test_contrasts_say_which_side_is_better_and_whom_a_note_concerns(comparison: dict[str, Any]) -> None:
    other = {**comparison["differences"][0], "group": "l1", "note": None}
    comparison["differences"].append(other)

    assert contrast_sentences(contrasts_of_comparison(comparison)) == [
        "difference in test/loss, better below 0; p is corrected for all of them.",
        "dropout − l2: Three seeds are few.",
    ]
