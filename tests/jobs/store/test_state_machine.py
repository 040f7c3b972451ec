"""Any order of what users, workers and the reconciler do, against a model in plain Python, with crashes.

A crash here is a transaction that fails at its end: everything done in it must be undone. A run that was cut
off stays around as a stale one and keeps trying to write.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from sqlalchemy import Connection, text

from jobs.database import Database
from jobs.errors import IllegalActionError, JobNotFoundError, StaleRunError
from jobs.migrate import migrate
from jobs.model import Capabilities, NewJob, NewRecord
from jobs.settings import Settings
from jobs.states import TERMINAL, TRANSITIONS, JobState
from jobs.store import Store, open_store

TENANT = "tenant"
CPU = Capabilities(frozenset({"cpu"}))
MAX_ATTEMPTS = 3
NEW_JOB = NewJob(None, {}, "normal", {}, {"resources": {"device": "auto", "pool": None}}, {})


class CrashError(Exception):
    """The process died before its commit."""


@dataclass
class Model:
    """What a job must look like."""

    state: JobState = JobState.QUEUED
    run_id: int | None = None
    attempt: int = 0
    num_lost: int = 0
    steps: list[int] = field(default_factory=list)
    log: list[JobState] = field(default_factory=lambda: [JobState.QUEUED])

    def go(self, state: JobState) -> None:
        assert state in TRANSITIONS[self.state]
        self.state = state
        self.log.append(state)
        if state in TERMINAL | {JobState.QUEUED}:
            self.run_id = None


class StoreMachine(RuleBasedStateMachine):
    """The store and its model, side by side."""

    jobs = Bundle("jobs")
    runs = Bundle("runs")

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="regcore-machine-"))
        self.settings = Settings(data_dir=self.folder, lease_s=1000, max_attempts=MAX_ATTEMPTS)
        migrate(self.settings)
        self.store: Store = open_store(self.settings)
        self.database: Database = self.store._database
        self.models: dict[str, Model] = {}

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)

    @contextmanager
    def maybe_crash(self, crashes: bool) -> Iterator[None]:
        """Make the next write transaction fail after its last statement, if asked to."""
        if not crashes:
            yield
            return
        whole = self.database.write

        @contextmanager
        def cut_off() -> Iterator[Connection]:
            with whole() as connection:
                yield connection
                raise CrashError

        self.database.write = cut_off  # type: ignore[method-assign]
        try:
            yield
        except CrashError:
            pass
        finally:
            self.database.write = whole  # type: ignore[method-assign]

    @rule(target=jobs, crashes=st.booleans())
    def submit(self, crashes: bool) -> str:
        job_id = "job_lost"
        with self.maybe_crash(crashes):
            job_id = self.store.submit(TENANT, NEW_JOB).job.id
            self.models[job_id] = Model()
        return job_id

    @rule(target=runs, crashes=st.booleans())
    def claim(self, crashes: bool) -> tuple[int, str]:
        queued = sorted(job_id for job_id, model in self.models.items() if model.state is JobState.QUEUED)
        with self.maybe_crash(crashes):
            run = self.store.claim("wrk", CPU)
            if run is None:
                assert not queued
                return -1, "job_lost"
            (job,) = run.jobs
            assert job.id in queued
            model = self.models[job.id]
            model.go(JobState.STARTING)
            model.run_id, model.attempt = run.run_id, model.attempt + 1
            return run.run_id, job.id
        return -1, "job_lost"

    @rule(run=runs, crashes=st.booleans())
    def start(self, run: tuple[int, str], crashes: bool) -> None:
        model = self.current(run)
        try:
            with self.maybe_crash(crashes):
                runs_now = self.store.start(*run)
                assert model is not None
                if model.state is JobState.STARTING:
                    model.go(JobState.RUNNING)
                assert runs_now == (model.state is JobState.RUNNING)
        except StaleRunError:
            assert model is None

    @rule(run=runs, steps=st.lists(st.integers(0, 5), max_size=4), crashes=st.booleans())
    def append(self, run: tuple[int, str], steps: list[int], crashes: bool) -> None:
        model = self.current(run)
        new = [NewRecord("metrics", {"step": step}, 1.0, key=f"step:{step}") for step in steps]
        try:
            with self.maybe_crash(crashes):
                self.store.append(*run, new)
                assert model is not None
                model.steps = list(dict.fromkeys(model.steps + steps))
        except StaleRunError:
            assert model is None

    @rule(run=runs, ok=st.booleans(), crashes=st.booleans())
    def finish(self, run: tuple[int, str], ok: bool, crashes: bool) -> None:
        model = self.current(run)
        state = JobState.SUCCEEDED if ok else JobState.FAILED
        if model is not None and state not in TRANSITIONS[model.state]:
            state = JobState.FAILED
        try:
            with self.maybe_crash(crashes):
                self.store.finish(*run, state)
                assert model is not None
                model.go(state)
        except StaleRunError:
            assert model is None

    @rule(run=runs, crashes=st.booleans())
    def requeue(self, run: tuple[int, str], crashes: bool) -> None:
        model = self.current(run)
        try:
            with self.maybe_crash(crashes):
                self.store.requeue(*run)
                assert model is not None
                model.go(JobState.CANCELLED if model.state is JobState.CANCELLING else JobState.QUEUED)
        except StaleRunError:
            assert model is None

    @rule(run=runs, crashes=st.booleans())
    def lose_worker(self, run: tuple[int, str], crashes: bool) -> None:
        model = self.current(run)
        with self.database.write() as connection:
            connection.execute(text("UPDATE runs SET lease_until = 1 WHERE id = :id"), {"id": run[0]})
        with self.maybe_crash(crashes):
            assert self.store.expire_leases() == ([run[1]] if model else [])
            if model is None:
                return
            model.num_lost += 1
            if model.state is JobState.CANCELLING:
                model.go(JobState.CANCELLED)
            else:
                model.go(JobState.FAILED if model.num_lost >= MAX_ATTEMPTS else JobState.QUEUED)
            return
        assert self.store.renew(run[0]).valid == (model is not None)

    @rule(job_id=jobs, crashes=st.booleans())
    def cancel(self, job_id: str, crashes: bool) -> None:
        model = self.models.get(job_id)
        try:
            with self.maybe_crash(crashes):
                self.store.request_cancel(TENANT, job_id)
                assert model is not None
                if model.state is JobState.QUEUED:
                    model.go(JobState.CANCELLED)
                elif model.state in (JobState.STARTING, JobState.RUNNING):
                    model.go(JobState.CANCELLING)
        except JobNotFoundError:
            assert model is None
        except IllegalActionError:
            assert model is not None
            assert model.state in (JobState.SUCCEEDED, JobState.FAILED)

    @rule(job_id=consumes(jobs), crashes=st.booleans())
    def delete(self, job_id: str, crashes: bool) -> None:
        model = self.models.get(job_id)
        try:
            with self.maybe_crash(crashes):
                self.store.delete(TENANT, job_id)
                del self.models[job_id]
        except JobNotFoundError:
            assert model is None
        except IllegalActionError:
            assert model is not None
            assert model.state not in TERMINAL

    @invariant()
    def the_store_is_as_the_model_says(self) -> None:
        if not hasattr(self, "store"):
            return
        for job_id, model in self.models.items():
            job = self.store.get(TENANT, job_id)
            records = self.store.records(TENANT, job_id)
            assert (job.state, job.attempt) == (model.state, model.attempt)
            assert [one.state for one in job.transitions] == model.log
            assert [one.seq for one in records] == list(range(1, len(records) + 1))
            assert [one.body["step"] for one in records if one.kind == "metrics"] == model.steps
            assert (job.finished_at is not None) == (model.state in TERMINAL)
        assert {job.id for job in self.store.list(TENANT, limit=1000).data} == set(self.models)

    def current(self, run: tuple[int, str]) -> Model | None:
        """Return the model of the job if the run is its current one."""
        model = self.models.get(run[1])
        return model if model is not None and model.run_id == run[0] else None


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = hypothesis_settings(max_examples=40, stateful_step_count=30, deadline=None)
