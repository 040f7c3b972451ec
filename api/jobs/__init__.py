"""The resource `/v1/jobs`: submissions and reruns, lists, actions, metrics, events, report and artifacts of one job.

Does not live here: anything about many jobs together, which is in `api.sweeps`; or how a job moves from state to state,
which is in the package `jobs` at the top.
"""
