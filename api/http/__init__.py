"""What is HTTP and of no resource: keys, hosts, headers, bodies, problems, conditions, and how they are documented.

Lives here: what every operation shares, from the first byte of a request to the answer's headers. Does not live here:
anything that knows a job, a sweep, a data set or the catalogue. Those folders import this one, never the reverse.
"""
