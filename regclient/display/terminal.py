"""Standard output and error, for any kind of reader.

A reader may not support UTF-8, may leave early (`| head`), or may be missing (`>&-`); a disk may be full. If it is a
terminal, text from other users must not control it.
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

# Without a terminal, rich assumes 80 columns. A pipe has no width, and no id must be folded there.
PIPE_WIDTH = 160

READABLE = "regclient.readable"
"""The name under which `readable` is registered as an error handler of codecs."""
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

# Control characters except tab and line feed; marks and overrides of text direction; Unicode's line separators.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class OutputError(RegClientError):
    """Standard output cannot be written, usually because a disk is full."""


class ReaderGoneError(OutputError):
    """The reader of standard output has left, as `head` does."""


class Console(RichConsole):
    """A console on which characters that control a terminal are shown as escapes."""

    @property
    def is_live(self) -> bool:
        """Whether printed lines can be redrawn: only on a real terminal, even if FORCE_COLOR is set."""
        return self.is_terminal and self.file.isatty() and not self.is_dumb_terminal

    def render_str(self, text: str, **options: Any) -> Text:
        """Render a string like rich, but with escapes and look-alikes inserted before a table measures its cells."""
        text = visible(text)
        if not self.encoding.startswith("utf"):
            text = text.encode(self.encoding, READABLE).decode(self.encoding)
        return super().render_str(text, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render like rich, but with escapes also in what is not a string, such as bars and plots."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def make_console(*, stderr: bool = False) -> Console:
    """Return a console as wide as its terminal, or without a terminal wide enough for every table."""
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
    """Return the text with each character that controls a terminal as an escape of JSON and Python: `\\u001b`."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def readable(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an encoding lacks by ASCII look-alikes, which keep a table's shape, or by escapes."""
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
        return name.rpartition(" ")[2].lower().replace("lamda", "lambda")  # Unicode spells it "lamda"
    return character.encode("ascii", "backslashreplace").decode()


codecs.register_error(READABLE, readable)


class _Answers(io.TextIOWrapper):
    """Standard output. It raises no OSError, for which click and rich exit with 1, our code for a failed job."""

    def write(self, text: str, /) -> int:
        with _answers_errors():
            return super().write(text)

    def flush(self) -> None:
        with _answers_errors():
            super().flush()


class _Remarks(io.TextIOWrapper):
    """Standard error. Text that cannot be written is dropped, because it must not change a command's exit code."""

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
    """Replace the standard streams by ones for any reader; call this at the start of a program, before any output."""
    for descriptor in range(3):
        _open_if_closed(descriptor)
    # Another process that shares the pipe may have made it non-blocking; then text that does not fit would be lost.
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
    """Flush standard output.

    Raises:
        OutputError: It cannot be written. It is then replaced by /dev/null, because Python would flush it again at
            exit, and fail.
    """
    try:
        sys.stdout.flush()
    except OutputError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        raise


def _open_if_closed(descriptor: int) -> None:
    """Open /dev/null in place of a closed standard stream; otherwise the next file or socket would take its number."""
    try:
        os.fstat(descriptor)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
