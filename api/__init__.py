"""The HTTP face: routes, response schemas, keys, problems, live events.

Lives here: everything about HTTP, and how values look at the edge. Does not live here: SQL, Celery, torch, or any
decision about a job's life; those are `jobs` and `worker`.
"""
