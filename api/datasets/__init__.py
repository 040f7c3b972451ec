"""The resource `/v1/datasets`: uploads, what was found in them, and the facts by which jobs on them are planned.

Does not live here: reading a file's rows, which a worker does, and anything about a job or a sweep.
"""
