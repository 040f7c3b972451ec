"""Finding the job, sweep or data set that a user means by an id, the beginning of an id, a name, or `last`.

An id wins over a name, and `last` over both; ids ignore case. A whole id is used without asking the server. Ids begin
with the time at which they were made, so for the beginning of an id only the rows of that time are requested.
"""

import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Literal
from unicodedata import category

import typer

from regclient.client import Client
from regclient.display.job_tables import time_text
from regclient.display.terminal import given_text
from regclient.errors import NotFoundError
from regclient.handle import Handle
from regclient.job import Job

Kind = Literal["job", "sweep", "data set"]

LAST = "last"
MAX_CANDIDATES = 5
_ENOUGH = MAX_CANDIDATES + 1
MAX_NAME_LENGTH = 200
"""The server refuses longer names."""
_IN_NO_NAME = frozenset({"Cc", "Cs"})
"""Categories of characters that no name has: control characters, and surrogates, which stand for bytes of an
argument that are not UTF-8."""
EITHER: tuple[Kind, ...] = ("job", "sweep")

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32, in which ULIDs are written
_NUM_CHARACTERS = 26
_NUM_TIME_CHARACTERS = 10  # they encode milliseconds since 1970
_ID = re.compile(r"(job|swp|ds)_((?:[0-7][0-9A-HJKMNP-TV-Z]{0,25})?)", re.IGNORECASE)
_MARGIN_S = 600.0
"""How far the time in an id and `created_at` may differ: the api's clock sets one and the database's the other, and
making a large sweep takes a while."""
_KINDS: dict[str, Kind] = {"job": "job", "swp": "sweep", "ds": "data set"}
_LISTS = {
    "job": "`regcore jobs` lists jobs",
    "sweep": "`regcore sweeps` lists sweeps",
    "data set": "`regcore datasets` lists data sets",
}


def find_job_id(client: Client, text: str) -> str:
    """Return the id of the job that the user means; see `find_id`."""
    return find_id(client, text, ("job",))


def find_sweep_id(client: Client, text: str) -> str:
    """Return the id of the sweep that the user means; see `find_id`."""
    return find_id(client, text, ("sweep",))


def find_dataset_id(client: Client, text: str) -> str:
    """Return the id of the data set that the user means; see `find_id`."""
    return find_id(client, text, ("data set",))


def find_id(client: Client, text: str, kinds: tuple[Kind, ...] = EITHER) -> str:
    """Return the id of the one job, sweep or data set that the user means.

    Args:
        client: A client of the server.
        text: An id, the beginning of one, a name, or `last`.
        kinds: The kinds that the command accepts.

    Raises:
        NotFoundError: Nothing on the server fits the text.
        typer.BadParameter: The text fits several, or one of a kind that the command does not accept.
    """
    text = given_text(text)
    if text == LAST:
        return _newest(client, kinds)
    kind, prefix = _as_id(text)
    if kind and kind not in kinds:
        raise _wrong_kind(prefix, kind, kinds)
    if kind and len(prefix.partition("_")[2]) == _NUM_CHARACTERS:
        return prefix
    found = _beginning_with(client, kind, prefix) if kind else []
    found = found or _named(client, text, kinds)
    if len(found) > 1:
        raise typer.BadParameter(_ambiguous(text, found))
    if found:
        return found[0].id
    others = _named(client, text, tuple(other for other in EITHER if other not in kinds))
    if others:
        raise _wrong_kind(others[0].id, "job" if isinstance(others[0], Job) else "sweep", kinds, name=text)
    raise _not_found(f"No {' or '.join(kinds)} has the id, the beginning of an id, or the name {text!r:.80}.", kinds)


def is_sweep_id(found_id: str) -> bool:
    """Whether a whole id is that of a sweep."""
    return found_id.startswith("swp_")


def is_meant_as_id(text: str) -> bool:
    """Whether the user meant an id, valid or not, or `last`, rather than a file."""
    return text == LAST or text.strip().lower().startswith(("job_", "swp_", "ds_"))


def _as_id(text: str) -> tuple[Kind | None, str]:
    """Return the kind of a whole or begun id, and the id as the server writes it; (None, text) for other text."""
    match = _ID.fullmatch(text.strip())
    if match is None:
        return None, text
    return _KINDS[match[1].lower()], f"{match[1].lower()}_{match[2].upper()}"


def _newest(client: Client, kinds: tuple[Kind, ...]) -> str:
    if "job" in kinds:
        for job in client.jobs.list(sort="-created_at", page_size=1):
            # A sweep's members are made with it. Where the command accepts both kinds, the sweep is the last.
            sweep = job.body.get("sweep") if "sweep" in kinds else None
            return str(sweep["id"]) if sweep else job.id
    else:
        newest: Iterable[Handle] = (
            client.sweeps.list(page_size=1) if "sweep" in kinds else client.datasets.list(page_size=1)
        )
        for one in newest:
            return one.id
    raise _not_found(f"There is no {' or '.join(kinds)} yet, so `last` finds nothing.", kinds)


def _beginning_with(client: Client, kind: Kind, prefix: str) -> list[Handle]:
    earliest_s, latest_s = _made_between(prefix.partition("_")[2])
    if earliest_s > time.time() + _MARGIN_S:
        return []
    # The server's clock may be ahead of ours: for recent ids there is no later bound, so none is missed.
    before = _rfc3339(latest_s + _MARGIN_S) if latest_s < time.time() - _MARGIN_S else None
    after = _rfc3339(max(0.0, earliest_s - _MARGIN_S))
    rows: Iterable[Handle]
    if kind == "job":
        rows = client.jobs.list(created_after=after, created_before=before)
    elif kind == "sweep":
        rows = client.sweeps.list(created_after=after, created_before=before)
    else:
        rows = client.datasets.list(created_after=after, created_before=before)
    return list(islice((row for row in rows if row.id.startswith(prefix)), _ENOUGH))


def _made_between(characters: str) -> tuple[float, float]:
    """Return the earliest and latest time, in seconds since 1970, of ids that begin with these characters."""
    known = characters[:_NUM_TIME_CHARACTERS]
    low, high = (_milliseconds(known.ljust(_NUM_TIME_CHARACTERS, filler)) for filler in "0Z")
    return low / 1000, high / 1000


def _milliseconds(characters: str) -> int:
    value = 0
    for character in characters:
        value = value * len(_ALPHABET) + _ALPHABET.index(character)
    return value


def _named(client: Client, text: str, kinds: tuple[Kind, ...]) -> list[Handle]:
    if not text.strip() or len(text) > MAX_NAME_LENGTH or any(category(character) in _IN_NO_NAME for character in text):
        return []
    sweeps = list(islice(client.sweeps.list(name=text), _ENOUGH)) if "sweep" in kinds else []
    # Members often have the name of their sweep. A name of both means the sweep.
    sweep_ids = {sweep.id for sweep in sweeps}
    jobs = client.jobs.list(name=text) if "job" in kinds else ()
    others = (job for job in jobs if (job.body.get("sweep") or {}).get("id") not in sweep_ids)
    datasets = client.datasets.list(name=text) if "data set" in kinds else ()
    return [*islice(others, _ENOUGH), *sweeps, *islice(datasets, _ENOUGH)]


def _ambiguous(text: str, found: list[Handle]) -> str:
    lines = [f"{text!r:.80} may be any of these:"]
    lines += [f"  {one.id}  {time_text(one.created_at)}  {one.name or ''}".rstrip() for one in found[:MAX_CANDIDATES]]
    if len(found) > MAX_CANDIDATES:
        lines.append("  and more")
    return "\n".join([*lines, "Give one of their ids."])


def _wrong_kind(found_id: str, kind: Kind, kinds: tuple[Kind, ...], name: str | None = None) -> typer.BadParameter:
    named = f"{name!r} is the name of {found_id}, a {kind}" if name else f"{found_id} is a {kind}"
    remedy = f"`regcore {'datasets ' if kind == 'data set' else ''}show {found_id}` shows it"
    if kind == "sweep" and "job" in kinds:
        remedy += f", `regcore jobs --sweep {found_id}` its jobs"
    return typer.BadParameter(f"Expected a {' or a '.join(kinds)}; {named}. {remedy}.")


def _not_found(detail: str, kinds: tuple[Kind, ...]) -> NotFoundError:
    remedy = ", ".join(_LISTS[kind] for kind in kinds)
    problem = {"type": "urn:regcore:problem:not_found", "title": "Not found", "status": 404}
    return NotFoundError(404, problem | {"detail": f"{detail} {remedy}."})


def _rfc3339(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
