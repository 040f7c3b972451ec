"""A clock that stands still until a test moves it."""


class HandClock:
    """Stands in for the `time` that a module has imported.

    Attributes:
        now: What `monotonic` says, in seconds.
    """

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now
