"""The end of an axis that regularizes more."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from regcore.spec.kinds import REGULARIZERS


def stronger_end(pointer: str, resolved_spec: Mapping[str, Any]) -> Literal["larger", "smaller"] | None:
    """The stronger end that a regularizer declares for the field that the axis varies; None for any other place.

    A wider layer, a larger learning rate or another epoch is neither stronger nor weaker by itself.

    Args:
        pointer: The axis's, such as `/regularizers/0/strength`.
        resolved_spec: The resolved spec of any member, as JSON.
    """
    found = re.fullmatch(r"/regularizers/(\d+)/(\w+)", pointer)
    if not found or int(found[1]) >= len(resolved_spec["regularizers"]):
        return None
    kind = resolved_spec["regularizers"][int(found[1])]["kind"]
    return REGULARIZERS[kind].stronger.get(found[2])
