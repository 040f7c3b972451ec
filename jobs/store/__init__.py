"""The store: the only SQL of the project, one file per concern, all behind one `Store`.

A user's methods take the tenant first; a worker's name the run. Every method is one transaction, except five whose work
is unbounded: `expire_leases` has one for each run, `expire_dataset_leases` one for each data set, and `cancel_sweep`,
`delete_sweep` and `forget_checkpoints` one for some hundreds of members or owners. If one of these is interrupted,
calling it again continues the work. Every method locks a run before its jobs, jobs in the order of their ids, and data
sets after jobs.

For users: `submission`, `actions`, `sweeps`, `reading`, `listing`, `sweep_reading`, `datasets`, `principals`. For
workers, in the order of a run's life: `claiming`, `joining`, `runs`, `training`, `rungs`, `endings`; and `parsing`,
`recovery`, `workers`.
"""

from jobs.store.connect import Store, open_store

__all__ = ["Store", "open_store"]
