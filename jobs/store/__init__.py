"""The store: the only SQL of the project, one file per concern, all behind one `Store`.

A caller's tenant comes first; what a worker does names its run. Every method changes all in one transaction, but for
four whose work has no bound, and which go on where they were cut off when they are called again: `expire_leases` has
one for each run, `cancel_sweep`, `delete_sweep` and `forget_checkpoints` one for some hundreds of members or owners.
Everybody locks a run before its jobs, and jobs in the order of their ids.

Of users: `submission`, `actions`, `sweeps`, `reading`, `listing`, `sweep_reading`, `principals`. Of workers, in the
order of a run's life: `claiming`, `joining`, `runs`, `training`, `rungs`, `endings`; and `recovery`, `workers`.
"""

from jobs.store.connect import Store, open_store

__all__ = ["Store", "open_store"]
