"""The resources about many jobs: `/v1/sweeps`, `/v1/comparisons`, `/v1/sweep-suggestions`.

Lives here: from a sweep's body to its members, and from these to leaderboard, path, comparison and ablation. Does not
live here: statistics, which are in `regcore.study`; or what one job looks like, which is in `api.jobs`.
"""
