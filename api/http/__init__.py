"""What is HTTP and of no resource: keys, hosts, headers, bodies, problems, conditions, and how they are documented.

Lives here: what operations share, from the first byte of a request to the answer's headers, and the one table of all
problems. Does not live here: what an operation does, or how a job, a sweep or a data set looks. Their folders import
this one, never the reverse.
"""
