"""The parent's side of a run: claiming it, leasing it, watching over its runner, stopping it, storing how it ended.

Lives here: everything that happens in the worker process for a run, from the message that wakes it (`task`) over its
runner (`forking`, `process`, `spare`) and its jobs (`live_run`, `live_job`, `stopping`, `settling`) to the files that
it leaves. Does not live here: torch, training, and anything of `worker.run`: a runner is spoken to by `worker.protocol`
alone, and is started by a module's name.
"""
