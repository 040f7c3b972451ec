"""The HTTP interface: routes, response schemas, keys, problems, live events.

Lives here: everything about HTTP, and the format of values in requests and answers. Does not live here: SQL, Celery,
torch, or any decision about a job's life; those are `jobs` and `worker`.
"""
