"""The error of a layer that does not fit its rows: it says where the layer is, and where the rows come from."""

from __future__ import annotations

from collections.abc import Sequence


class LayerMisfit(ValueError):
    """A layer of a list, or of a list inside it, does not fit the rows that it sees.

    Args:
        path: Its place in its own list, after those of the layers around it, the outermost first.
        reason: What it expects, and what it gets.
        source: What gives it these rows; None if that is the model's own row.

    Attributes:
        path: As above.
        reason: As above.
        source: As above.
    """

    def __init__(self, path: Sequence[int], reason: str, source: str | None = None) -> None:
        self.path = tuple(path)
        self.reason = reason
        self.source = source
        from_where = f" from {source or 'the rows'}" if "; it gets" in reason else ""
        super().__init__(f"{place_of(self.path)} {reason}{from_where}")

    def inside(self, position: int, source: str | None) -> LayerMisfit:
        """The same seen from the list around it.

        Args:
            position: Of the layer in which it is.
            source: What gives that layer its rows.
        """
        own = self.source if self.source is None else f"{place_of([position])}.{self.source}"
        return LayerMisfit([position, *self.path], self.reason, source if own is None else own)


def place_of(path: Sequence[int]) -> str:
    """`layers[2].layers[0]`."""
    return ".".join(f"layers[{position}]" for position in path)
