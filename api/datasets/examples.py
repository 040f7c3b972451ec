"""One data set, as each operation shows it: more examples of the OpenAPI document."""

from typing import Any

DATASET_ID = "ds_01KAR4JQ4Z2V7M3X9D5T8H6B1C"

CSV = "age,city,churn\n41,Oslo,no\n,Bergen,yes\n"

SUMMARY: dict[str, Any] = {
    "id": DATASET_ID,
    "name": "customers.csv",
    "sha256": "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "size_bytes": 38,
    "header": "auto",
    "format": "csv",
    "state": "ready",
    "state_reason": None,
    "modality": "table",
    "num_rows": 2,
    "num_columns": 3,
    "created_at": "2026-11-23T07:41:08.871Z",
    "updated_at": "2026-11-23T07:41:09.123Z",
    "finished_at": "2026-11-23T07:41:09.123Z",
    "links": {
        "self": f"/v1/datasets/{DATASET_ID}",
        "preview": f"/v1/datasets/{DATASET_ID}/preview",
        "jobs": f"/v1/jobs?dataset_id={DATASET_ID}",
    },
}


def _column(name: str, kind: str, examples: list[str], num_missing: int = 0) -> dict[str, Any]:
    return {
        "name": name,
        "given_name": None,
        "type": kind,
        "why": "",
        "num_missing": num_missing,
        "num_distinct": len(examples),
        "examples": examples,
    }


DATASET: dict[str, Any] = {
    **SUMMARY,
    "columns": [
        _column("age", "number", ["41"], num_missing=1),
        _column("city", "category", ["Oslo", "Bergen"]),
        _column("churn", "boolean", ["no", "yes"]),
    ],
    "warnings": [],
}

VALIDATING: dict[str, Any] = {
    **DATASET,
    "state": "validating",
    "modality": None,
    "num_rows": None,
    "num_columns": None,
    "updated_at": SUMMARY["created_at"],
    "finished_at": None,
    "columns": [],
}

PAGE: dict[str, Any] = {"data": [SUMMARY], "next_after": None, "has_more": False}

PREVIEW: dict[str, Any] = {
    "columns": ["age", "city", "churn"],
    "rows": [[41, "Oslo", False], [None, "Bergen", True]],
}
