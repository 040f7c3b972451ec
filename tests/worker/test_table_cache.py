"""Copies of tables on a real disk; other workers are other caches of the same folder, or processes that are killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from jobs.artifacts import ArtifactStore
from jobs.errors import ArtifactDamagedError
from jobs.model import ArtifactRow
from worker.table_cache import TableCache


def quietly() -> None:
    """What a test without a lease keeps alive."""


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def make_cache(artifacts: ArtifactStore, tmp_path: Path) -> Callable[[int], TableCache]:
    return lambda max_bytes: TableCache(tmp_path / "tables", artifacts, max_bytes)


@pytest.fixture
def store_table(artifacts: ArtifactStore, tmp_path: Path) -> Callable[[bytes], ArtifactRow]:
    def store_table(content: bytes) -> ArtifactRow:
        file = tmp_path / "made"
        file.write_bytes(content)
        sha256, size_bytes = artifacts.put(file)
        return ArtifactRow("the table of ds_1", size_bytes, sha256, "application/octet-stream")

    return store_table


def names(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "tables").glob("*")}


def test_a_table_is_fetched_once(
    make_cache: Callable[[int], TableCache], store_table: Callable[[bytes], ArtifactRow], artifacts: ArtifactStore
) -> None:
    table = store_table(b"rows")

    with make_cache(100).holding(table, quietly) as path:
        first = (path.read_bytes(), path.stat().st_ino)
    artifacts.path(table.sha256).unlink()
    with make_cache(100).holding(table, quietly) as path:
        second = (path.read_bytes(), path.stat().st_ino)

    assert first == second
    assert first[0] == b"rows"


def test_the_longest_unused_copies_make_room(
    make_cache: Callable[[int], TableCache], store_table: Callable[[bytes], ArtifactRow], tmp_path: Path
) -> None:
    tables = [store_table(bytes([number]) * 10) for number in range(4)]
    cache = make_cache(30)

    for age_s, table in zip((30, 20, 10), tables, strict=False):
        with cache.holding(table, quietly) as path:
            pass
        os.utime(path, (path.stat().st_mtime - age_s,) * 2)
    with cache.holding(tables[0], quietly):  # used again
        pass
    with cache.holding(tables[3], quietly):
        pass

    assert names(tmp_path) == {tables[0].sha256, tables[2].sha256, tables[3].sha256}


def test_a_copy_in_use_is_never_dropped_also_by_another_worker(
    make_cache: Callable[[int], TableCache], store_table: Callable[[bytes], ArtifactRow], tmp_path: Path
) -> None:
    first, second, third = (store_table(bytes([number]) * 10) for number in range(3))

    with ExitStack() as uses:
        mine = uses.enter_context(make_cache(1).holding(first, quietly))
        uses.enter_context(make_cache(1).holding(second, quietly))
        found = mine.read_bytes()
    with make_cache(1).holding(third, quietly):
        pass

    assert found == bytes(10)
    assert names(tmp_path) == {third.sha256}


@pytest.mark.parametrize("damage", [b"ROWS", b"ro", b""], ids=["changed", "cut", "empty"])
def test_a_damaged_copy_is_fetched_again(
    make_cache: Callable[[int], TableCache],
    store_table: Callable[[bytes], ArtifactRow],
    tmp_path: Path,
    damage: bytes,
) -> None:
    table = store_table(b"rows")
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / table.sha256).write_bytes(damage)

    with make_cache(100).holding(table, quietly) as path:
        found = path.read_bytes()

    assert found == b"rows"


def lose(path: Path) -> None:
    path.unlink()


def change(path: Path) -> None:
    path.write_bytes(b"ROWS")


@pytest.mark.parametrize(("harm", "words"), [(lose, "its file is lost"), (change, "holds other bytes")])
def test_a_stored_table_that_is_lost_or_changed_is_an_error_and_leaves_nothing(
    make_cache: Callable[[int], TableCache],
    store_table: Callable[[bytes], ArtifactRow],
    artifacts: ArtifactStore,
    tmp_path: Path,
    harm: Callable[[Path], None],
    words: str,
) -> None:
    table = store_table(b"rows")
    harm(artifacts.path(table.sha256))

    with pytest.raises(ArtifactDamagedError, match=f"the table of ds_1.*{words}"), ExitStack() as uses:
        uses.enter_context(make_cache(100).holding(table, quietly))

    assert names(tmp_path) == set()


def test_a_copy_is_whole_even_if_the_worker_that_fetched_it_is_killed(
    make_cache: Callable[[int], TableCache], store_table: Callable[[bytes], ArtifactRow], tmp_path: Path
) -> None:
    table = store_table(b"rows")
    code = f"""
import os, signal
from pathlib import Path
from jobs.artifacts import ArtifactStore
from jobs.model import ArtifactRow
from worker.table_cache import TableCache
cache = TableCache(Path({str(tmp_path / "tables")!r}), ArtifactStore(Path({str(tmp_path / "artifacts")!r})), 100)
with cache.holding({table!r}, lambda: os.kill(os.getpid(), signal.SIGKILL)):
    pass
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    left = names(tmp_path)

    with make_cache(100).holding(table, quietly):
        pass

    assert (killed.returncode, left) == (-signal.SIGKILL, set())
    assert names(tmp_path) == {table.sha256}


def test_the_lease_is_kept_while_a_large_table_is_read(
    make_cache: Callable[[int], TableCache], store_table: Callable[[bytes], ArtifactRow]
) -> None:
    table = store_table(bytes(9 << 20))
    calls: list[None] = []

    with make_cache(1 << 30).holding(table, lambda: calls.append(None)):
        pass

    assert len(calls) == 2 * 3, "three chunks, copied and then checked"


def test_copies_of_deleted_tables_go_unless_they_are_in_use(
    make_cache: Callable[[int], TableCache], store_table: Callable[[bytes], ArtifactRow], tmp_path: Path
) -> None:
    kept, used, deleted = (store_table(name) for name in (b"kept", b"used", b"deleted"))
    cache = make_cache(100)
    for table in (kept, deleted):
        with cache.holding(table, quietly):
            pass

    with cache.holding(used, quietly):
        cache.keep_only(lambda hashes: {kept.sha256} & set(hashes))

    assert names(tmp_path) == {kept.sha256, used.sha256}


def test_rows_that_were_written_of_a_deleted_table_go_with_it(tmp_path: Path) -> None:
    for name in ("a" * 64, "b" * 64):
        (tmp_path / "rows" / f"{name}-key").mkdir(parents=True)
    cache = TableCache(tmp_path / "tables", ArtifactStore(tmp_path / "artifacts"), max_bytes=1)

    cache.keep_only(lambda asked: {"a" * 64} & set(asked))

    assert [path.name for path in (tmp_path / "rows").iterdir()] == [f"{'a' * 64}-key"]
