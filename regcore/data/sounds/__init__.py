"""Sound as inputs of a network."""
