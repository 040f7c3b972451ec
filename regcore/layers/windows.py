"""Windows over the steps of a sequence."""

from regcore.layers.image_rows import sequence
from regcore.shapes import RowInfo


def num_places_of_steps(kind: str, seen: RowInfo, window: int, stride: int, padding: int = 0) -> int:
    """How many places a window that moves over a sequence has.

    ⌊(steps + 2·padding − window) / stride⌋ + 1

    Raises:
        ValueError: The rows are no sequences, or the window is longer than they are.
    """
    num_steps, _ = sequence(kind, seen)
    room = num_steps + 2 * padding - window
    if room < 0:
        around = f" with a padding of {padding}" if padding else ""
        raise ValueError(
            f"{kind} expects (steps, features) of at least its window, {window} steps{around}; it gets {seen.shape}"
        )
    return room // stride + 1
