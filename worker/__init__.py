"""Executes jobs: claims a row, trains it in a child process and writes back what happened.

Lives here: the Celery worker and its one task, the supervisor of a runner, the runner itself, the template that it
is forked from, the warm spare, the reconciler and the heartbeat. Does not live here: SQL (that is `jobs`), HTTP, and
anything about training (`regcore`). Only template and runner import torch: the worker process stays small, and a
crash in native code stays in the child.
"""
