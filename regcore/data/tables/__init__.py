"""Tables of the user's own: read from files, frames and arrays, their columns' types found, split, and encoded.

`facts` and `choose` need neither torch, NumPy nor pyarrow, so that an api can plan a job from the facts alone.
"""
