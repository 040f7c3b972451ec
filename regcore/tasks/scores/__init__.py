"""What is measured of a finished member's split, in NumPy: each metric with its interval, and what each row adds to it.

Lives here: one module for each task, and what they share. Does not live here: what is measured during training, of all
members at once, which the tasks do.
"""
