"""Text as inputs of a network."""
