"""From a spec's `data` to tensors: the table of known sets, loading, splitting, standardising.

Without torch and NumPy only `catalogue` and the sizes in `split` can be imported. Nothing here knows of models, losses
or training.
"""
