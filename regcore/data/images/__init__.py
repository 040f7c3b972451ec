"""Images as inputs of a network."""
