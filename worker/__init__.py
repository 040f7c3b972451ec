"""Executes jobs: claims a row, trains it in a child process and writes back what happened.

Lives here: the process itself (`app`), what it does besides training (`reconciler`), what its parts share
(`surroundings`, `table_cache`, `retrying`, `devices`, `plugins`, `environment`), the parent's side of a run
(`supervise/`), the child's side (`run/`), the messages between the two (`protocol`), and the reading of uploaded data
sets (`datasets/`).
Does not live here: SQL (that is `jobs`), HTTP, and anything about training (`regcore`). Only `run/` imports torch: the
worker process stays small, and a crash in native code stays in the child.
"""
