"""One sweep, as each operation shows it: more examples of the OpenAPI document."""

from typing import Any

from api.jobs import examples
from api.jobs.examples import JOB_ID
from api.sweeps.suggestions import show
from regcore.study.sweep import plan_sweep, suggest_sweep

SWEEP_ID = "swp_01KAR4JQ4Z2V7M3X9D5T8H6B1C"

SPEC: dict[str, Any] = {
    "name": "how much l1",
    "base": examples.SPEC,
    "axes": [
        {
            "pointer": "/regularizers/0/strength",
            "range": {"kind": "log", "low": 1e-6, "high": 1e-1, "num_points": 32},
        }
    ],
    "seeds": [0, 1, 2],
    "objective": {"metric": "validation/loss", "mode": "min"},
}

_PLAN = plan_sweep(SPEC)
_STRENGTH = 1e-4

VALIDATION: dict[str, Any] = {
    "valid": True,
    "resolved_spec": _PLAN.spec.model_dump(mode="json", by_alias=True),
    "num_candidates": len(_PLAN.candidates),
    "num_members": len(_PLAN.members),
    "warnings": [warning.model_dump(mode="json") for warning in _PLAN.warnings],
}

_NONE_YET = dict.fromkeys(
    ("starting", "running", "pausing", "paused", "cancelling", "succeeded", "failed", "cancelled"), 0
)
_SUMMARY: dict[str, Any] = {
    "id": SWEEP_ID,
    "name": SPEC["name"],
    "labels": {},
    "state": "running",
    "counts": {"queued": 64, **_NONE_YET, "running": 29, "succeeded": 3},
    "num_members": 96,
    "num_halved": 0,
    "created_at": "2026-11-23T07:41:08.871Z",
    "started_at": "2026-11-23T07:41:08.944Z",
    "finished_at": None,
    "links": {
        "self": f"/v1/sweeps/{SWEEP_ID}",
        "path": f"/v1/sweeps/{SWEEP_ID}/path",
        "comparison": f"/v1/sweeps/{SWEEP_ID}/comparison",
        "ablation": f"/v1/sweeps/{SWEEP_ID}/ablation",
        "cancel": f"/v1/sweeps/{SWEEP_ID}/cancel",
        "jobs": f"/v1/jobs?sweep_id={SWEEP_ID}",
    },
}

PAGE: dict[str, Any] = {"data": [_SUMMARY], "next_after": None, "has_more": False}

_LEADER: dict[str, Any] = {
    "variant": None,
    "values": {"/regularizers/0/strength": _STRENGTH},
    "objective": {"mean": 0.2461, "low": 0.2302, "high": 0.262, "num": 3, "num_missing": 0},
    "job_ids": [JOB_ID, JOB_ID[:-1] + "D", JOB_ID[:-1] + "E"],
}

SWEEP: dict[str, Any] = {
    **_SUMMARY,
    "spec": VALIDATION["resolved_spec"],
    "warnings": [],
    "best": {**_LEADER, "spec": examples.VALIDATION["resolved_spec"]},
    "leaderboard": [{"rank": 1, **_LEADER, "states": {"succeeded": 3}}],
}

QUEUED: dict[str, Any] = {
    **SWEEP,
    "state": "queued",
    "counts": {"queued": 96, **_NONE_YET},
    "started_at": None,
    "best": None,
    "leaderboard": [
        {
            "rank": 1,
            **_LEADER,
            "objective": {"mean": None, "low": None, "high": None, "num": 0, "num_missing": 3},
            "states": {"queued": 3},
        }
    ],
}


def _interval(value: float, half: float) -> dict[str, Any]:
    low, high = round(value - half, 4), round(value + half, 4)
    return {"value": value, "low": low, "high": high, "num": 3, "num_missing": 0}


PATH: dict[str, Any] = {
    "pointer": "/regularizers/0/strength",
    "objective": {"metric": "validation/loss", "mode": "min"},
    "points": [
        {
            "value": _STRENGTH,
            "num": 3,
            "num_missing": 0,
            "metrics": {
                "train/loss": _interval(0.1504, 0.004),
                "validation/loss": _interval(0.2461, 0.0159),
                "test/loss": _interval(0.2513, 0.0148),
                "test/accuracy": _interval(0.9287, 0.0061),
            },
            "norms": {"l1": _interval(2412.7, 40.1), "l2": _interval(17.31, 0.22)},
            "generalization_gap": _interval(0.1009, 0.0151),
            "sparsity": _interval(0.4127, 0.0082),
            "kkt_residual": None,
        }
    ],
    "best_value": _STRENGTH,
    "one_standard_error_value": _STRENGTH,
    "smallest_zero_value": None,
    "max_kkt_residual": None,
    "l1_max": None,
    "note": None,
}

_JUDGEMENT: dict[str, Any] = {
    "p_value": 0.0021,
    "p_value_corrected": 0.0021,
    "num_pairs": 3,
    "paired": True,
    "standard_error": {"seeds": 0.0018, "rows": 0.0031},
    "tests": {"mcnemar": None},
    "verdict": "helps",
    "note": None,
}
_MEAN: dict[str, Any] = {"num": 3, "num_missing": 0}
_NO_DROPOUT = {"name": "none", **_MEAN, "mean": 0.2689, "low": 0.2601, "high": 0.2777}
_DROPOUT = {"name": "dropout", **_MEAN, "mean": 0.2513, "low": 0.2432, "high": 0.2594}

COMPARISON_BODY: dict[str, Any] = {
    "groups": [{"name": "none", "job_ids": [JOB_ID]}, {"name": "dropout", "job_ids": [JOB_ID[:-1] + "D"]}],
    "metric": "test/loss",
}

COMPARISON: dict[str, Any] = {
    "metric": "test/loss",
    "mode": "min",
    "groups": [_NO_DROPOUT, _DROPOUT],
    "differences": [
        {
            "group": "dropout",
            "baseline": "none",
            "difference": {"value": -0.0176, "low": -0.0268, "high": -0.0084},
            **_JUDGEMENT,
        }
    ],
    "correction": "holm",
}

SWEEP_COMPARISON: dict[str, Any] = {
    "objective": {"metric": "validation/loss", "mode": "min"},
    **COMPARISON,
    "groups": [
        {**_NO_DROPOUT, "values": {}, "job_ids": [JOB_ID]},
        {**_DROPOUT, "values": {"/regularizers/0/p": 0.4}, "job_ids": [JOB_ID[:-1] + "D"]},
    ],
}

SUGGESTION_BODY: dict[str, Any] = {"data": {"kind": "builtin", "name": "wine"}, "budget_s": 60}

SUGGESTION: dict[str, Any] = show(suggest_sweep(SUGGESTION_BODY["data"], budget_s=60))

ABLATION: dict[str, Any] = {
    "metric": "test/loss",
    "mode": "min",
    "full": {**_DROPOUT, "name": "full"},
    "contributions": [
        {
            "regularizer": "dropout",
            "contribution": {"value": 0.0176, "low": 0.0084, "high": 0.0268},
            "without": {name: value for name, value in _NO_DROPOUT.items() if name != "name"},
            **_JUDGEMENT,
        }
    ],
    "correction": "holm",
}
