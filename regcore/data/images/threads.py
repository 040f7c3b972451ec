"""Work on many images, in as many threads as there are processors: Pillow decodes without Python's lock."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, Final, TypeVar

Made = TypeVar("Made")

_MAX_THREADS: Final = 8
_NUM_AT_ONCE: Final = 64
"""What is asked for together, so that no more of what is read lies in memory."""


def each(work: Callable[..., Made], *given: Iterable[Any]) -> list[Made]:
    """What the work makes of each, in their order.

    Args:
        work: Called from several threads.
        given: Its arguments, as `map` takes them.
    """
    arguments = zip(*given, strict=False)
    made: list[Made] = []
    with ThreadPoolExecutor(min(_MAX_THREADS, len(os.sched_getaffinity(0)))) as pool:
        while some := list(islice(arguments, _NUM_AT_ONCE)):
            made += pool.map(lambda one: work(*one), some)
    return made
