"""The store: the only SQL of the project, one file per concern, all behind one `Store`.

A user's methods take the tenant first; a worker's name the run. Every method is one transaction, except four whose work
is unbounded: `expire_leases` has one for each run, `cancel_sweep`, `delete_sweep` and `forget_checkpoints` one for some
hundreds of members or owners. If one of these is interrupted, calling it again continues the work. Every method locks a
run before its jobs, and jobs in the order of their ids.

For users: `submission`, `actions`, `sweeps`, `reading`, `listing`, `sweep_reading`, `principals`. For workers, in the
order of a run's life: `claiming`, `joining`, `runs`, `training`, `rungs`, `endings`; and `recovery`, `workers`.
"""

from jobs.store.connect import Store, open_store

__all__ = ["Store", "open_store"]
