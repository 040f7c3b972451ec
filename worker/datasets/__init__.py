"""Uploaded data sets: each read once, in a child with hard limits.

A data set is claimed, leased and given back like a job, but takes no slot: it is read while jobs train. The parent's
side is `validation` (claims and watches), `process` (the child as the worker sees it) and `reasons`; the child's is
`parse` (its program), `preview` and `confinement`, which know no store and no settings; `request` is what passes
between the two. Does not live here: the tables of jobs that train (`worker.table_cache`), and how a file is read
(`regcore.data.tables`).
"""
