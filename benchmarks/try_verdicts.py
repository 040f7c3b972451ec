"""Whether `regcore try` agrees with itself: `python benchmarks/try_verdicts.py [--budget TIME] [TABLE ...]`.

Each table is tried three times, with seeds that have none in common: other splits, other weights. Three of the tables
are real, and two are pure noise, on which nothing may help. A TABLE is one of these names, or FILE.csv:TARGET.

Goal: no variant helps once and hurts another time; on noise none helps, and none beats the constant prediction; and no
trial takes more than one and a half times its budget.
"""

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _report import hardware, keep
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from regclient.cli.trial import read_budget_s
from regclient.stack.up import EmbeddedStack, StackOptions, free_port

NUM_REPEATS = 3
NUM_SEEDS = 5
NUM_NOISE_ROWS = 600
REAL = {"wine": load_wine, "breast-cancer": load_breast_cancer, "diabetes": load_diabetes}
NOISE = ("noise", "noise-regression")
SHORT = {"helps": "helps", "hurts": "hurts", "no_measurable_effect": "–"}


def write_table(name: str, folder: Path) -> tuple[Path, str]:
    """Write a table as CSV; returns its path and its target."""
    if ":" in name:
        file, _, target = name.rpartition(":")
        return Path(file).resolve(), target
    path = folder / f"{name}.csv"
    if name in REAL:
        REAL[name](as_frame=True).frame.to_csv(path, index=False)
        return path, "target"
    dice = random.Random(0)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*(f"x{k}" for k in range(10)), "city", "y"])
        for _ in range(NUM_NOISE_ROWS):
            numbers = [f"{dice.gauss(0, 1):.6f}" for _ in range(10)]
            y = dice.choice(["yes", "no"]) if name == "noise" else f"{dice.gauss(0, 1):.6f}"
            rows.writerow([*numbers, dice.choice(["Oslo", "Bergen", "Rome"]), y])
    return path, "y"


def try_once(path: Path, target: str, budget: str, repeat: int, folder: Path) -> tuple[dict[str, Any], float]:
    """What `regcore try --json` says, and how long it took."""
    command = [sys.executable, "-m", "regclient", "try", str(path), "--target", target, "--budget", budget, "--json"]
    command += ["--seeds", str(NUM_SEEDS), "--first-seed", str(1000 * repeat), "--out", str(folder / path.stem)]
    began_at = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout)
    return said, time.monotonic() - began_at


def summarize(table: str, trials: list[tuple[dict[str, Any], float]], budget_s: float) -> list[str]:
    """The lines of one table of results."""
    verdicts = [{one["name"]: one["verdict"] for one in said["verdicts"]} for said, _ in trials]
    names = list(dict.fromkeys(name for one in verdicts for name in one))
    lines = ["", f"| {table} | {' | '.join(f'seeds from {1000 * k}' for k in range(len(trials)))} |"]
    lines += ["| --- |" + " --- |" * len(trials)]
    lines += [
        f"| {name} | {' | '.join(SHORT[one[name]] if name in one else '' for one in verdicts)} |" for name in names
    ]
    beaten = ["yes" if said["beats_baseline"] else "no" for said, _ in trials]
    lines += [f"| beats the constant | {' | '.join(beaten)} |"]
    lines += [f"| best on validation rows | {' | '.join(str(said['winner']) for said, _ in trials)} |"]
    lines += [f"| seconds, of {budget_s:g} | {' | '.join(f'{took_s:.0f}' for _, took_s in trials)} |"]
    contradicted = [name for name in names if {"helps", "hurts"} <= {one.get(name) for one in verdicts}]
    says_too_much = table in NOISE and ("yes" in beaten or any("helps" in one.values() for one in verdicts))
    lines += ["", f"Contradictions: {', '.join(contradicted) or 'none'}."]
    return [*lines, "**Something helps on noise.**"] if says_too_much else lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=[*REAL, *NOISE])
    parser.add_argument("--budget", default="2m")
    asked = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        options = StackOptions(port=free_port(), data_dir=folder / "regcore", is_temporary=True)
        with EmbeddedStack(options, lambda part, line: None):
            os.environ["REGCORE_DATA_DIR"] = str(folder / "regcore")
            for table in asked.tables:
                path, target = write_table(table, folder)
                trials = [try_once(path, target, asked.budget, repeat, folder) for repeat in range(NUM_REPEATS)]
                lines += summarize(table, trials, read_budget_s(asked.budget))
    about = f"{NUM_REPEATS} times `regcore try --budget {asked.budget} --seeds {NUM_SEEDS}`, each with other seeds."
    keep("try-verdicts", "Verdicts of `regcore try`, repeated", "\n".join([f"{about} {hardware()}.", *lines]))


if __name__ == "__main__":
    main()
