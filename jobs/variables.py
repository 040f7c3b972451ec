"""The ``REGCORE_…`` variables of a process, without those that only look like ours.

Kubernetes gives every container the address of each Service, as variables that begin with the Service's name: for one
called ``regcore``, ``REGCORE_PORT=tcp://10.96.0.12:8000`` and others. Docker's links do the same.
"""

import difflib
import re
from collections.abc import Collection, Mapping
from pathlib import Path

PREFIX = "REGCORE_"
CLIENT_VARIABLES = frozenset({"REGCORE_URL", "REGCORE_API_KEY", "REGCORE_API_KEY_FILE", "REGCORE_DEBUG"})
"""Variables of the client. They are not settings of a server, but must not be reported as unknown."""

_PATHS = ("_DIR", "_FILE")
_MAX_SECRET_BYTES = 100_000
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://", re.IGNORECASE)
_SERVICE_NAME = re.compile(
    r"REGCORE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?|ENV_\w+)"
)


def own_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return our variables that are set, by name in capitals, without white space around the values.

    An empty variable counts as unset. Of two names that differ only in case, the one in capitals wins.
    """
    found: dict[str, str] = {}
    for name, text in environment.items():
        variable = name.upper()
        # Spaces are kept in paths, because a folder's name may end in one.
        value = text.strip("\r\n" if variable.endswith(_PATHS) else None)
        is_ours = variable.startswith(PREFIX) and not _is_of_a_service(variable, value)
        if is_ours and value and (name == variable or variable not in environment):
            found[variable] = value
    return found


def unknown_variables(environment: Mapping[str, str], known: Collection[str]) -> list[str]:
    """Return a sentence for each variable that nothing reads.

    Args:
        environment: The process's.
        known: The settings' variables; those of the client are added.
    """
    names = {*known, *CLIENT_VARIABLES}
    sentences = []
    for variable in sorted(own_variables(environment).keys() - names):
        near = difflib.get_close_matches(variable, names, n=1, cutoff=0.75)
        remedy = f"Did you mean {near[0]}?" if near else "Unset it."
        sentences.append(f"{variable} is set, and no setting has this name. {remedy}")
    return sentences


def read_secret_file(path: Path) -> str:
    """Return the text of a file that holds one value.

    Raises:
        ValueError: It cannot be read, is empty, or is not text; the message does not show its content.
    """
    wanted = f"expected {str(path)!r:.200} to be a file with the value as UTF-8 text"
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{wanted}; it cannot be read ({error.strerror})") from None
    if len(content) > _MAX_SECRET_BYTES:
        raise ValueError(f"{wanted}; it has more than {_MAX_SECRET_BYTES:,} bytes")
    try:
        value = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise ValueError(f"{wanted}; it is not") from None
    if not value:
        raise ValueError(f"{wanted}; it is empty")
    return value


def _is_of_a_service(variable: str, value: str) -> bool:
    return (
        _SERVICE_NAME.fullmatch(variable) is not None
        or (variable.endswith("_PORT") and _SERVICE_ADDRESS.match(value) is not None)
        or (variable.endswith("_NAME") and value.startswith("/"))  # a link's: /container/alias
    )
