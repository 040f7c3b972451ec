"""The errors of a spec, collected, so that a user gets all of them at once."""

from collections.abc import Callable
from typing import TypeVar

from regcore.errors import FieldError, SpecError

T = TypeVar("T")


class Problems:
    """Collects errors."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def add(self, pointer: str, code: str, message: str) -> None:
        self.errors.append(FieldError(pointer, code, message))

    def attempt(self, pointer: str, code: str, action: Callable[[], T], fallback: T) -> T:
        """Return the action's value, or the fallback if it raises ValueError, which is noted."""
        try:
            return action()
        except ValueError as error:
            self.add(pointer, code, str(error))
            return fallback

    def stop_if_any(self) -> None:
        if self.errors:
            raise SpecError(self.errors)
