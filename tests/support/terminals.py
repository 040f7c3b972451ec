"""The command line on a pseudo-terminal, so that tests see and type what a user does."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time

REGCORE = [sys.executable, "-m", "regclient"]
CTRL_C = b"\x03"
WAIT_S = 60.0


class TerminalCommand:
    """A command with a terminal of its own.

    Args:
        command: The program and its arguments.
        columns: The width of the window, in characters.
        env: Variables to add to this process's environment.
    """

    def __init__(self, command: list[str], *, columns: int = 80, env: dict[str, str] | None = None) -> None:
        self._terminal, other_end = pty.openpty()
        fcntl.ioctl(other_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.written = ""
        self.process = subprocess.Popen(
            command,
            stdin=other_end,
            stdout=other_end,
            stderr=other_end,
            env={**os.environ, "TERM": "xterm", **(env or {})},
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(other_end)

    def read_until(self, text: str) -> str:
        """Read the output until it contains this text; return all output since the start."""
        deadline = time.monotonic() + WAIT_S
        while text not in self.written and self._read(deadline):
            pass
        assert text in self.written, self.written
        return self.written

    def press(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def end(self) -> int:
        """Read the output to its end; return the exit code."""
        deadline = time.monotonic() + WAIT_S
        while self._read(deadline):
            pass
        os.close(self._terminal)
        return self.process.wait(WAIT_S)

    def _read(self, deadline: float) -> bool:
        if not select.select([self._terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return False
        try:
            piece = os.read(self._terminal, 65536)
        except OSError:  # on Linux, this means that the other end is closed
            return False
        self.written += piece.decode(errors="replace")
        return bool(piece)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
