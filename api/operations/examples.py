"""One worker, as it is listed: an example of the OpenAPI document."""

from typing import Any

from api.jobs.examples import JOB_ID

WORKERS: dict[str, Any] = {
    "data": [
        {
            "id": "wrk_01KAR4HW2N6Q8R5C7E3G9J1K4M",
            "node": "trainer-1",
            "pool": None,
            "state": "ready",
            "slots": [{"device": "cpu", "job_ids": [JOB_ID]}],
            "versions": {"python": "3.11.2", "regcore": "0.1.0", "torch": "2.9.0"},
            "heartbeat_at": "2026-11-23T07:41:09.002Z",
        }
    ]
}
