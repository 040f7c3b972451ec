"""The plugin of `make test-quick`: it skips a test when it starts a process, so that no list of such tests is
needed."""

import sys
from collections.abc import Generator

import pytest

_STARTS = frozenset(
    {"subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn"}
)


class WithoutProcesses:
    """Skips each test that starts a process, itself or in a fixture, as reported by Python's audit events."""

    def __init__(self) -> None:
        self._is_testing = False
        sys.addaudithook(self._look_at)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        self._is_testing = True
        try:
            return (yield)
        finally:
            self._is_testing = False

    def _look_at(self, event: str, _: tuple[object, ...]) -> None:
        if event in _STARTS and self._is_testing:
            pytest.skip("it starts a process")
