"""A sweep without its wrong fields, so that errors in the rest can be reported too."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from jsonpointer import JsonPointer

from regcore.data.facts import FactsOf, known_facts
from regcore.errors import FieldError, SpecError
from regcore.json_values import plain
from regcore.plan.objective import num_classes_of, task_of
from regcore.spec import JobSpec, json_pointer, parse_spec
from regcore.spec.hints import meant
from regcore.spec.mending import mend, touch
from regcore.study.sweep.candidate import Candidate
from regcore.study.sweep.expand import expand
from regcore.study.sweep.spec import SweepSpec, parse_sweep
from regcore.tasks import Task

_ROUNDS: Final = 4
"""Rounds of removal: wrong fields, then what is wrong in the rest, and again."""
_LISTS: Final = ("axes", "variants")
"""Lists of which only wrong items are removed; other fields are removed whole."""
_OF_POINTERS: Final = ("pointer", "path", "from")
_OF_ITEMS: Final = ("axes", "patch")


def further_problems(
    body: Any, errors: Sequence[FieldError], max_members: int, facts_of: FactsOf = known_facts
) -> list[FieldError]:
    """Further errors of a sweep, which do not depend on the wrong places that were found.

    Args:
        body: A `SweepSpec` as JSON.
        errors: The errors that were found.
        max_members: The most members.
        facts_of: Finds the facts of the base's data.
    """
    rest = plain(body)
    if not isinstance(rest, dict):
        return []
    base, wrong_places = _mend_base(rest.get("base"))
    left = _Left(rest, wrong_places)
    new, seen = list(errors), {one.pointer for one in errors}
    found: dict[str, FieldError] = {}
    for _ in range(_ROUNDS):
        left.take_out(new)
        try:
            sweep = parse_sweep(left.body())
            new = list(_problems(sweep, base, max_members, facts_of)) if base else []
        except SpecError as error:
            new = error.errors
        new = [one for one in map(left.as_sent, new) if one.pointer not in seen]
        if not new:
            break
        found |= {one.pointer: one for one in new if not left.is_doubtful(one)}
        seen |= {one.pointer for one in new}
    return list(found.values())


def objective_problems(sweep: SweepSpec, task: type[Task], num_classes: int) -> Iterator[FieldError]:
    """Errors for a metric that no job of this task has."""
    split, _, name = sweep.metric.partition("/")
    known = task.metrics_with(num_classes)
    if name not in known:
        expected = ", ".join(f"{split}/{one}" for one in known)
        message = f"objective.metric must be one of {expected} for {task.kind}; received {sweep.metric}. Correct it."
        yield FieldError("/objective/metric", "unknown_value", message)


def seed_problems(sweep: SweepSpec, base: Mapping[str, Any]) -> Iterator[FieldError]:
    """Errors for seeds that no job may have. A seed goes to the same places of every member's spec."""
    for position, (seed, spec) in enumerate(Candidate(None, base).members(sweep)):
        try:
            parse_spec(spec)
        except SpecError as error:
            for one in error.errors:
                why = f"{seed} cannot be a seed{' with vary_split' * sweep.vary_split}: {one.message}"
                yield FieldError(f"/seeds/{position}", one.code, why)


def _mend_base(base: Any) -> tuple[JobSpec | None, Sequence[str]]:
    """The base without its wrong places, and these; no base if too little is left."""
    try:
        return parse_spec(base), []
    except SpecError as error:
        mended = mend(base, error.errors)
    if mended is None:
        return None, [""]
    given = base.get("regularizers")
    has_all = not isinstance(given, list) or len(given) == len(mended.kept)
    return mended.spec, [*mended.wrong, *([] if has_all else ["/regularizers"])]


def _problems(sweep: SweepSpec, base: JobSpec, max_members: int, facts_of: FactsOf) -> Iterator[FieldError]:
    """Errors of a sweep whose own fields are correct: each candidate checked by itself, each value once."""
    spec = base.model_dump(mode="json")
    yield from seed_problems(sweep, spec)
    with suppress(SpecError):  # the data are not there, or do not fit: an error of the base, which was found with it
        facts = facts_of(base)
        task = task_of(base, facts)
        yield from objective_problems(sweep, task, num_classes_of(task, facts))
    try:
        candidates = expand(sweep, spec, max_members)
    except SpecError as error:
        yield from error.errors
        return
    tried: set[str] = set()
    for candidate in candidates:
        sources = {choice.source for choice in candidate.choices} | {candidate.at}
        if sources <= tried:
            continue
        tried |= sources
        try:
            parse_spec(candidate.spec)
        except SpecError as error:
            yield from map(candidate.explain, error.errors)


class _Left:
    """The rest of a sweep's body. Removed list items leave None, so that places stay the same."""

    def __init__(self, rest: dict[str, Any], wrong_places: Sequence[str]) -> None:
        """Remove axes and variants that point into wrong places of the base, whose content is unknown."""
        self._rest = rest
        self._wrong_places = wrong_places
        self._gone: set[str] = set()
        for name in _LISTS:
            for position, item in enumerate(rest[name]) if isinstance(rest.get(name), list) else []:
                if any(map(self._looks_wrong, _pointers(item))):
                    rest[name][position] = None
                    self._gone.add(name)

    def body(self) -> dict[str, Any]:
        """The sweep without its base, for parsing. If all variants were removed, the axes cannot be checked."""
        body = {**self._rest, "base": {}}
        for name in _LISTS:
            if name in body:
                body[name] = [body[name][place] for place in self._kept(name)]
        return body | {"axes": []} if self._rest.get("variants") and not body["variants"] else body

    def take_out(self, errors: Sequence[FieldError]) -> None:
        """The errors, with a seed that any job may have."""
        for field, *inner in (JsonPointer(error.pointer).parts or [""] for error in errors):
            if field == "base":
                continue
            self._gone.add(field)
            if field in _LISTS and inner and field in self._rest:
                self._rest[field][int(inner[0])] = None
            elif field == "seeds":
                self._rest["seeds"] = [0]
            else:
                self._rest.pop(field, None)

    def as_sent(self, error: FieldError) -> FieldError:
        """The same error, with its place in the sent body."""
        parts = JsonPointer(error.pointer).parts
        if len(parts) > 1 and parts[0] in _LISTS:
            parts[1] = str(self._kept(parts[0])[int(parts[1])])
        return FieldError(json_pointer(parts), error.code, error.message)

    def is_doubtful(self, error: FieldError) -> bool:
        """Whether the error may vanish once removed or unknown fields are corrected."""
        rests_on: Sequence[str] = []
        if error.code == "path_not_found" and error.pointer.startswith("/axes/"):
            rests_on = ["variants"]
        if error.code == "missing_field":
            rests_on = ["strategy", *_LISTS]
        if error.pointer.startswith("/base/") and self._looks_wrong(error.pointer.removeprefix("/base")):
            return True
        return any(meant(name, rests_on) is not None for name in self._gone)

    def _looks_wrong(self, pointer: str) -> bool:
        return any(touch(pointer, place) for place in self._wrong_places)

    def _kept(self, name: str) -> list[int]:
        return [position for position, one in enumerate(self._rest[name]) if one is not None]


def _pointers(item: Any) -> Iterator[str]:
    """Every pointer in an axis or a variant."""
    if isinstance(item, dict):
        yield from (value for name, value in item.items() if name in _OF_POINTERS and isinstance(value, str))
        yield from (pointer for name in _OF_ITEMS for pointer in _pointers(item.get(name)))
    if isinstance(item, list):
        yield from (pointer for part in item for pointer in _pointers(part))
