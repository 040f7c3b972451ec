"""A migrated store, jobs in it, and runners that follow a script."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from supervising import wait_for

from jobs.model import Capabilities, Job, NewDataset, NewJob, ParsedTable
from jobs.settings import Settings
from jobs.store import Store, open_store
from worker.devices import Slot
from worker.environment import runner_environment
from worker.supervise.forking import RunnerTemplate
from worker.supervise.orphans import adopt_orphans
from worker.supervise.process import RunnerProcess
from worker.supervise.supervisor import Supervisor
from worker.surroundings import Surroundings

SCRIPTED = (sys.executable, str(Path(__file__).with_name("scripted_runner.py")))


@pytest.fixture
def store(with_tables: Settings) -> Iterator[Store]:
    opened = open_store(with_tables)
    yield opened
    opened.close()


@pytest.fixture
def surroundings(settings: Settings, store: Store) -> Iterator[Surroundings]:
    around = Surroundings.of(settings, store, num_threads=1)
    yield around
    around.notifier.close()


@pytest.fixture
def submit(store: Store) -> Callable[..., Job]:
    """Submit a job whose name is the scripted runner's script."""

    def submit(
        script: str,
        *,
        tenant: str = "t",
        priority: str = "normal",
        fusion_key: str | None = None,
        checkpoint: dict[str, Any] | None = None,
        spec: dict[str, Any] | None = None,
        dataset_id: str | None = None,
        plugins: Sequence[str] = (),
        **resources: Any,
    ) -> Job:
        defaults = {"device": "auto", "pool": None, "max_runtime_s": 86400, "max_memory_bytes": None}
        whole = {"name": script, "resources": {**defaults, **resources}, **(spec or {})}
        new = NewJob(
            name=script,
            labels={},
            priority=priority,
            spec=whole,
            resolved_spec=whole,
            plan={},
            fusion_key=fusion_key,
            member_bytes=1,
            checkpoint=checkpoint,
            dataset_id=dataset_id,
            plugins=plugins,
        )
        return store.submit(tenant, new).job

    return submit


@pytest.fixture
def ready_dataset(store: Store, surroundings: Surroundings, tmp_path: Path) -> Callable[..., str]:
    """Upload a data set that a worker has read; returns its id."""

    def make(table: Path | None = None, facts: dict[str, Any] | None = None) -> str:
        file = tmp_path / "uploaded"
        file.write_bytes(b"rows" if table is None else table.read_bytes())
        sha256, size_bytes = surroundings.artifacts.put(file)
        new = NewDataset(name="rows.csv", sha256=sha256, size_bytes=size_bytes, header="auto", format="csv")
        dataset_id = store.create_dataset("t", new).dataset.id
        claim = store.claim_dataset("wrk_0")
        assert claim is not None
        assert store.finish_dataset(claim, ParsedTable(facts or {}, {}, 1, 1, "table", sha256, size_bytes))
        return dataset_id

    return make


@pytest.fixture
def submit_group(submit: Callable[..., Job]) -> Callable[..., list[Job]]:
    """Submit jobs that may train in one pass, each with its script."""

    def submit_group(*scripts: str, **fields: Any) -> list[Job]:
        return [submit(script, fusion_key="same", **fields) for script in scripts]

    return submit_group


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the templates of a module, and their runners, put temporary files."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def make_template(temporary: Path) -> Iterator[Callable[..., RunnerTemplate]]:
    """Make templates, each of which starts with its first runner: one for each program, for all tests of a module."""
    made: dict[tuple[str, ...], RunnerTemplate] = {}

    def make(*program: str) -> RunnerTemplate:
        if program not in made:
            environment = runner_environment(os.environ, 1, temporary)
            made[program] = RunnerTemplate(environment, *([program] if program else []))
        return made[program]

    yield make
    for template in made.values():
        template.close()
    adopt_orphans(False)


@pytest.fixture
def gated(make_template: Callable[..., RunnerTemplate], tmp_path: Path) -> tuple[RunnerTemplate, Callable[[], None]]:
    """A template of scripted runners that forks none before it is let, as one that imports torch; and what lets it."""
    gate = tmp_path / "gate"
    code = f"""
import os, runpy, sys, time
sys.path.insert(0, {str(Path(SCRIPTED[1]).parent)!r})
while not os.path.exists({str(gate)!r}):
    time.sleep(0.01)
sys.argv = ["scripted_runner", "0", sys.argv[-1]]
runpy.run_path({SCRIPTED[1]!r}, run_name="__main__")
"""
    return make_template(sys.executable, "-c", code), gate.touch


@pytest.fixture
def start_scripted(make_template: Callable[..., RunnerTemplate]) -> Iterator[Callable[..., RunnerProcess]]:
    """Start scripted runners; all of them are dead after the test."""
    started: list[RunnerProcess] = []

    def start(warm_up_s: float = 0.0) -> RunnerProcess:
        runner = RunnerProcess(make_template(*SCRIPTED, str(warm_up_s)))
        started.append(runner)
        wait_for(lambda: runner.returncode is not None or runner.pid is not None)
        return runner

    yield start
    for runner in started:
        if runner.returncode is None:
            runner.kill()


@pytest.fixture
def supervise(surroundings: Surroundings, start_scripted: Callable[..., RunnerProcess]) -> Callable[..., bool]:
    """Claim the best job and see its run through; returns whether the runner may serve again."""
    cpu = Capabilities(frozenset({"cpu"}))

    def supervise(around: Surroundings = surroundings, runner: RunnerProcess | None = None) -> bool:
        runner = runner or start_scripted()
        claimed_at = time.monotonic()
        run = around.store.claim("wrk_1", cpu)
        assert run is not None
        return Supervisor(around, run, cpu, Slot(0, "cpu"), runner, claimed_at).supervise()

    return supervise


@pytest.fixture
def pass_delays(store: Store) -> Callable[[], None]:
    """Lets the backoff of every job pass."""

    def pass_them() -> None:
        with store._database.write() as connection:
            connection.exec_driver_sql("UPDATE jobs SET claimable_at = created_at")

    return pass_them
