"""The job as a record: states, runs, store, keys, artifacts, queue and settings, shared by api and worker.

The only SQL and the only Celery publish of the project live here. No torch, no fastapi, and nothing of our
other packages: specs, plans and results pass through as plain JSON values.
"""
