"""Standard output and error as their readers can take them, whatever stands behind them.

A reader may know no UTF-8, may leave early (`| head`), may be a full disk, or may not be there at all (`>&-`). It may
be a terminal, to which text that another user wrote must not send commands.
"""

import codecs
import io
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from regclient.errors import RegClientError

# Without a terminal rich assumes 80 columns. What reads a pipe has no width to keep to: never fold an id there.
PIPE_WIDTH = 160

READABLE = "regclient.readable"
"""The name of the error handler that `readable` is registered as."""
_LOOKALIKES = {
    **dict.fromkeys("–—−─━┄╌└┘┌┐├┤┬┴┼╭╮╰╯", "-"),
    **dict.fromkeys("│┃‖", "|"),
    **dict.fromkeys("┊╎", ":"),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("“”„", '"'),
    **dict.fromkeys("\u00a0\u202f\u2009", " "),
    **{"●": "*", "○": "o", "◆": "#", "…": "~", "×": "x", "·": ".", "•": "*", "→": "->", "≥": ">=", "≤": "<="},
    **{"ℓ": "l", "₁": "1", "₂": "2", "²": "^2", "±": "+/-", "√": "sqrt", "∞": "inf"},
}
_BRAILLE_FIRST, _BRAILLE_LAST = "\u2800", "\u28ff"
_BRAILLE_UPPER_ROWS = 0x01 | 0x08 | 0x02 | 0x10

# Control characters but tab and line feed; marks and overrides of direction; what some terminals break a line at.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class OutputError(RegClientError):
    """Standard output cannot be written: a full disk, mostly."""


class ReaderGoneError(OutputError):
    """Who read standard output has left, as `head` does."""


class Console(RichConsole):
    """A console on which text from elsewhere can only be read: what would steer a terminal is shown as an escape."""

    @property
    def is_live(self) -> bool:
        """Whether lines that were printed can be drawn again: on a real terminal, whatever FORCE_COLOR says."""
        return self.is_terminal and self.file.isatty() and not self.is_dumb_terminal

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich does; escapes and look-alikes are put in before a table measures its cells."""
        text = visible(text)
        if not self.encoding.startswith("utf"):
            text = text.encode(self.encoding, READABLE).decode(self.encoding)
        return super().render_str(text, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich does; whatever did not come as a string passes here, of bars and plots as well."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def make_console(*, stderr: bool = False) -> Console:
    """A console as wide as its terminal, or wide enough for every table where there is none."""
    console = Console(stderr=stderr)
    if not console.file.isatty() and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    return console


def given_text(text: str) -> str:
    """An argument of the command line as it was typed, where the locale knows no UTF-8 but the terminal does.

    Python hands on bytes that it cannot decode as halves of surrogate pairs. What is no UTF-8 either stays so.
    """
    try:
        return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        return text


def visible(text: str) -> str:
    """Text with each character that would steer a terminal written as JSON and Python write it: `\\u001b`."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def readable(error: UnicodeError) -> tuple[str, int]:
    """Put look-alikes in ASCII for what an encoding lacks, so that tables and plots keep their shape; else escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_in_ascii, error.object[error.start : error.end])), error.end


def _in_ascii(character: str) -> str:
    if character in _LOOKALIKES:
        return _LOOKALIKES[character]
    if _BRAILLE_FIRST <= character <= _BRAILLE_LAST:
        dots = ord(character) - ord(_BRAILLE_FIRST)
        upper, lower = bool(dots & _BRAILLE_UPPER_ROWS), bool(dots & ~_BRAILLE_UPPER_ROWS)
        return " .':"[2 * upper + lower]
    name = unicodedata.name(character, "")
    if name.startswith("GREEK SMALL LETTER "):
        return name.rpartition(" ")[2].lower().replace("lamda", "lambda")  # Unicode's own spelling
    return character.encode("ascii", "backslashreplace").decode()


codecs.register_error(READABLE, readable)


class _Answers(io.TextIOWrapper):
    """Standard output. Its errors are no OSErrors: click and rich answer those with exit code 1, "the job failed"."""

    def write(self, text: str, /) -> int:
        with _answers_errors():
            return super().write(text)

    def flush(self) -> None:
        with _answers_errors():
            super().flush()


class _Remarks(io.TextIOWrapper):
    """Standard error. What cannot be written there is dropped: it must not change how a command ends."""

    def write(self, text: str, /) -> int:
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


@contextmanager
def _answers_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise ReaderGoneError("Nobody reads the output any more.") from None
    except OSError as error:
        raise OutputError(f"Cannot write the output: {error.strerror}.") from None


def prepare_streams() -> None:
    """Make standard output and error fit for any reader; for the start of a program, before anything is printed."""
    for descriptor in range(3):
        _open_if_closed(descriptor)
    # Whoever shares our pipe may have made it non-blocking; what did not fit would be lost.
    os.set_blocking(1, True)
    sys.stdin = sys.stdin or io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    sys.stdout = _Answers(
        io.BufferedWriter(io.FileIO(1, "w", closefd=False)),
        encoding=_encoding_of(sys.stdout),
        errors=READABLE,
        line_buffering=os.isatty(1),
    )
    sys.stderr = _Remarks(
        io.BufferedWriter(io.FileIO(2, "w", closefd=False)),
        encoding=_encoding_of(sys.stderr),
        errors=READABLE,
        line_buffering=True,
    )


def _encoding_of(stream: TextIO | None) -> str:
    return stream.encoding if stream else "utf-8"


def flush_answers() -> None:
    """Write what standard output still buffers.

    Raises:
        OutputError: It cannot be written. It is given up then: Python would try again at its own end, and fail.
    """
    try:
        sys.stdout.flush()
    except OutputError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        raise


def _open_if_closed(descriptor: int) -> None:
    """A file or socket that is opened next would become standard output otherwise, and be written into."""
    try:
        os.fstat(descriptor)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
