"""One real job, as each operation shows it: the examples of the OpenAPI document."""

from typing import Any

from regcore.plan import make_plan
from regcore.spec import JobSpec

JOB_ID = "job_01KAR4JQ4Z2V7M3X9D5T8H6B1C"

SPEC: dict[str, Any] = {
    "name": "l1 on mnist",
    "labels": {"study": "sparsity"},
    "data": {"kind": "builtin", "name": "mnist-5k"},
    "model": {"kind": "mlp", "hidden": [128]},
    "regularizers": [{"kind": "l1", "strength": 1e-5}],
    "training": {"epochs": 10},
}

_PLAN = make_plan(JobSpec.model_validate(SPEC))

VALIDATION: dict[str, Any] = {
    "valid": True,
    "resolved_spec": _PLAN.resolved_spec.model_dump(mode="json"),
    "plan": _PLAN.public(),
    "warnings": [warning.model_dump(mode="json") for warning in _PLAN.warnings],
}

SUMMARY: dict[str, Any] = {
    "id": JOB_ID,
    "name": SPEC["name"],
    "labels": SPEC["labels"],
    "priority": "normal",
    "sweep": None,
    "parent_job_id": None,
    "dataset_id": None,
    "keep": False,
    "expires_at": None,
    "state": "running",
    "state_reason": None,
    "attempt": 1,
    "progress": {
        "epoch": 4,
        "num_epochs": _PLAN.num_epochs,
        "step": 4 * _PLAN.steps_per_epoch,
        "num_steps": _PLAN.num_steps,
        "fraction": 0.4,
        "eta_s": 1.2,
    },
    "created_at": "2026-11-23T07:41:08.871Z",
    "updated_at": "2026-11-23T07:41:09.123Z",
    "started_at": "2026-11-23T07:41:08.944Z",
    "finished_at": None,
    "heartbeat_at": "2026-11-23T07:41:09.002Z",
    "warnings": VALIDATION["warnings"],
    "result": None,
    "usage": {"device_s": 0.0, "peak_memory_bytes": None},
    "links": {
        "self": f"/v1/jobs/{JOB_ID}",
        "cancel": f"/v1/jobs/{JOB_ID}/cancel",
        "pause": f"/v1/jobs/{JOB_ID}/pause",
        "resume": f"/v1/jobs/{JOB_ID}/resume",
        "rerun": f"/v1/jobs/{JOB_ID}/rerun",
        "metrics": f"/v1/jobs/{JOB_ID}/metrics",
        "events": f"/v1/jobs/{JOB_ID}/events",
        "report": f"/v1/jobs/{JOB_ID}/report",
        "artifacts": f"/v1/jobs/{JOB_ID}/artifacts",
    },
}

JOB: dict[str, Any] = {
    **SUMMARY,
    "transitions": [
        {"state": "queued", "at": "2026-11-23T07:41:08.871Z", "reason": None},
        {"state": "starting", "at": "2026-11-23T07:41:08.902Z", "reason": None},
        {"state": "running", "at": "2026-11-23T07:41:08.944Z", "reason": None},
    ],
    "spec": SPEC,
    "resolved_spec": VALIDATION["resolved_spec"],
    "plan": VALIDATION["plan"],
}

JOB_PAGE: dict[str, Any] = {"data": [SUMMARY], "next_after": None, "has_more": False}

RERUN: dict[str, Any] = {
    "patch": [{"op": "replace", "path": "/regularizers/0/strength", "value": 1e-4}],
    "start_from": "scratch",
}

METRICS: dict[str, Any] = {
    "data": [
        {
            "seq": 6,
            "epoch": 1,
            "step": _PLAN.steps_per_epoch,
            "at": "2026-11-23T07:41:09.101Z",
            "values": {"train/loss": 1.9127, "validation/loss": 1.9341, "objective/penalty.l1": 0.0531},
            "non_finite": [],
        }
    ],
    "next_after": 6,
    "has_more": False,
    "state": "running",
}

METRICS_CSV = "seq,epoch,step,at,train/loss\n6,1,50,2026-11-23T07:41:09.101Z,1.9127\n"

EVENT: dict[str, Any] = {
    "seq": 3,
    "at": "2026-11-23T07:41:08.944Z",
    "kind": "state",
    "body": {"state": "running", "reason": None, "message": None, "attempt": 1},
}

EVENTS: dict[str, Any] = {"data": [EVENT], "next_after": 3, "has_more": False, "state": "running"}

EVENT_STREAM = (
    "event: state\n"
    'data: {"seq":3,"at":"2026-11-23T07:41:08.944Z","kind":"state","body":{"state":"running","attempt":1}}\n'
    "id: 3\n\n"
)

ARTIFACTS: dict[str, Any] = {
    "data": [
        {
            "name": "model.safetensors",
            "size_bytes": 407_368,
            "sha256": "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
            "media_type": "application/octet-stream",
            "url": f"/v1/jobs/{JOB_ID}/artifacts/model.safetensors",
        }
    ]
}

REPORT: dict[str, Any] = {
    "metrics": {"test": {"accuracy": {"value": 0.923, "low": 0.905, "high": 0.938}}},
    "baseline": {"kind": "majority_class", "label": "7", "metrics": {"test": {"accuracy": 0.112}}},
    "generalization_gap": {"value": 0.081, "low": 0.041, "high": 0.122},
    "most_confused": {"test": [{"label": "4", "predicted": "9", "num_rows": 8, "share": 0.08}]},
    "worst_rows": {
        "metric": "loss",
        "splits": {
            "test": {
                "numbered_in": "data",
                "rows": [{"row": 3175, "value": 6.41, "target": "6", "prediction": "5"}],
            }
        },
    },
    "regularizers": [{"kind": "l1", "touched": ["linear1.weight", "head.weight"]}],
    "diagnosis": [
        {
            "verdict": "overfit",
            "evidence": {
                "message": "validation/loss 0.31 is 0.28 [0.19, 0.4] above train/loss 0.03.",
                "values": {"split": "validation", "gap": 0.28, "gap_low": 0.19, "gap_high": 0.4},
                "confidence": "firm",
                "thin_because": [],
            },
            "suggestion": [{"op": "replace", "path": "/regularizers/0/strength", "value": 0.0001}],
        }
    ],
}
