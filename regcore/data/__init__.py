"""From a spec's `data` to tensors: the table of known sets, loading, splitting, standardising.

Only `catalogue` and the sizes in `split` may be imported where torch and NumPy are absent; nothing here knows
of models, losses or training.
"""
