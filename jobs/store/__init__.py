"""The store: the only SQL of the project, one file per concern, all behind one `Store`.

Every method is one transaction. A caller's tenant comes first; what a worker does names its run.
"""

from jobs.store.connect import Store, open_store

__all__ = ["Store", "open_store"]
