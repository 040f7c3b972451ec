from typing import Any

import pytest

from api import table_cache
from api.table_cache import TableCache


def facts(num_columns: int = 2, num_values: int = 3) -> dict[str, Any]:
    reading = {"num_missing": 0, "num_distinct": num_values}
    values = {str(value): 1 for value in range(num_values)}
    column = {"type": "category", "readings": {"category": reading}, "values": values, "examples": ["0"]}
    columns = [{"name": f"c{place}", **column} for place in range(num_columns)]
    return {"format": "csv", "num_rows": num_values, "columns": columns}


class _Source:
    """Counts how often it is read."""

    def __init__(self, **size: int) -> None:
        self.num_reads = 0
        self._size = size

    def __call__(self) -> dict[str, Any]:
        self.num_reads += 1
        return facts(**self._size)


def test_facts_are_read_once() -> None:
    cache, source = TableCache(), _Source()

    found = [cache.find("ds_1", source) for _ in range(3)]

    assert source.num_reads == 1
    assert found[0] is found[2]
    assert [column.name for column in found[0].columns] == ["c0", "c1"]


def test_those_that_were_asked_for_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_cache, "MAX_ENTRIES", 20)  # a table here has 2 · (1 + 3) of them
    cache, sources = TableCache(), {name: _Source() for name in ("a", "b", "c")}
    for name in ("a", "b", "a", "c"):
        cache.find(name, sources[name])

    for name in ("a", "c", "b"):
        cache.find(name, sources[name])

    assert {name: source.num_reads for name, source in sources.items()} == {"a": 1, "b": 2, "c": 1}


def test_a_table_that_is_too_large_is_kept_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_cache, "MAX_ENTRIES", 20)
    cache, large = TableCache(), _Source(num_columns=20)
    cache.find("small", _Source())

    cache.find("large", large)
    cache.find("large", large)

    assert large.num_reads == 1
