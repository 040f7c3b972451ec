"""Uploaded data sets: read once in a child with hard limits, then kept on this node for the jobs that need them.

A data set is claimed, leased and given back like a job, but takes no slot: it is read while jobs train.
"""
