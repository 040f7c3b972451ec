"""For operators: `/v1/workers`, the probes `/healthz` and `/readyz`, and `/openapi.json`.

Does not live here: how the document is made, which is in `api.http.document`, or anything about a single job.
"""
