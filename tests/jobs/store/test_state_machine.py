"""Any order of what users, workers and the reconciler do, against a model in plain Python, with crashes.

A process may die before or after every statement of a transaction, and after its commit but before it hears of it. What
was not committed must be undone; what was must be there, whoever knows. A run that was cut off stays around as a stale
one and keeps trying to write. A run has one job, or several that train together.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from one_job import append, finish, lose, requeue
from sqlalchemy import Connection, text

from jobs.database import Database
from jobs.errors import IllegalActionError, JobNotFoundError, StaleRunError
from jobs.model import ArtifactRow, Capabilities, NewJob, NewRecord, Settlement
from jobs.settings import Settings
from jobs.states import TERMINAL, TRANSITIONS, JobState, Reason, make_reason
from jobs.store import Store, open_store
from jobs.tables import metadata

TENANT = "tenant"
CPU = Capabilities(frozenset({"cpu"}))
MAX_ATTEMPTS = 3
NEW_JOB = NewJob(None, {}, "normal", {}, {"resources": {"device": "auto", "pool": None}}, {})
FUSIBLE_JOB = replace(NEW_JOB, fusion_key="same")
LOST = make_reason(Reason.WORKER_LOST)
FILES = [ArtifactRow("log.txt", 1, "a" * 64, "text/plain")]

Run = tuple[int, str]

NEVER = ("never", 0)
crash_points = st.one_of(
    st.just(NEVER),
    st.tuples(st.sampled_from(["before", "after"]), st.integers(0, 8)),  # this statement of the transaction
    st.just(("committed", 0)),
)


class CrashError(Exception):
    """The process is dead."""


@dataclass
class Model:
    """What a job must look like."""

    state: JobState = JobState.QUEUED
    run_id: int | None = None
    attempt: int = 0
    num_lost: int = 0
    resume_requested: bool = False
    owes_files: bool = False
    steps: list[int] = field(default_factory=list)
    checkpoint: Run | None = None
    furthest: int = -1
    is_fusible: bool = False
    is_alone: bool = False
    group: int | None = None
    log: list[JobState] = field(default_factory=lambda: [JobState.QUEUED])

    def go(self, state: JobState, *, with_files: bool = False) -> None:
        assert state in TRANSITIONS[self.state]
        self.state = state
        self.log.append(state)
        if state in TERMINAL | {JobState.QUEUED, JobState.PAUSED}:
            self.run_id = None
        if state is JobState.SUCCEEDED:
            self.checkpoint = None
        if state in TERMINAL:
            self.owes_files = self.attempt > 0 and not with_files

    def give_back(self) -> None:
        wanted = JobState.QUEUED
        if self.state is JobState.CANCELLING:
            wanted = JobState.CANCELLED
        elif self.state is JobState.PAUSING and not self.resume_requested:
            wanted = JobState.PAUSED
        self.resume_requested = False
        self.go(wanted)

    @property
    def may_join(self) -> bool:
        has_begun = self.checkpoint is not None or self.num_lost > 0 or self.group is not None
        return self.is_fusible and not self.is_alone and not has_begun

    def leave(self, *, is_alone: bool) -> None:
        self.group = None
        self.is_alone |= is_alone

    def lose(self, *, with_files: bool = False) -> None:
        self.num_lost += 1
        if self.group is not None and self.num_lost >= 2:
            self.num_lost = 0
            self.leave(is_alone=True)
            self.give_back()
        elif self.num_lost >= MAX_ATTEMPTS and self.state in (JobState.STARTING, JobState.RUNNING):
            self.go(JobState.FAILED, with_files=with_files)
        else:
            self.give_back()
            self.owes_files = self.owes_files and not with_files


class StoreMachine(RuleBasedStateMachine):
    """The store and its model, side by side."""

    settings: Settings
    jobs = Bundle("jobs")
    runs = Bundle("runs")

    @initialize()
    def open(self) -> None:
        self.store: Store = open_store(self.settings)
        self.database: Database = self.store._database
        self.models: dict[str, Model] = {}
        with self.database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()

    def attempt(self, crash: tuple[str, int], action: Callable[[], Any]) -> tuple[bool, Any]:
        """Do something that may die on the way; whether it was committed, and what its caller heard."""
        when, number = crash
        whole = self.database.write
        committed = False

        @contextmanager
        def cut_off() -> Iterator[Connection]:
            nonlocal committed
            with whole() as connection:
                execute = connection.execute
                num_done = 0

                def counted(*args: Any, **kwargs: Any) -> Any:
                    nonlocal num_done
                    num_done += 1
                    if (when, number) == ("before", num_done - 1):
                        raise CrashError
                    answer = execute(*args, **kwargs)
                    if (when, number) == ("after", num_done - 1):
                        raise CrashError
                    return answer

                connection.execute = counted  # type: ignore[method-assign]
                yield connection
                del connection.execute
            committed = True
            if when == "committed":
                raise CrashError

        self.database.write = cut_off  # type: ignore[method-assign]
        try:
            return True, action()
        except CrashError:
            return committed, None
        finally:
            self.database.write = whole  # type: ignore[method-assign]

    @rule(target=jobs, is_fusible=st.booleans(), crash=crash_points)
    def submit(self, is_fusible: bool, crash: tuple[str, int]) -> str:
        new_job = FUSIBLE_JOB if is_fusible else NEW_JOB
        done, _ = self.attempt(crash, lambda: self.store.submit(TENANT, new_job))
        if not done:
            return "job_lost"
        (job_id,) = {job.id for job in self.store.list(TENANT, limit=1000).data} - set(self.models)
        self.models[job_id] = Model(is_fusible=is_fusible)
        return job_id

    @rule(target=runs, crash=crash_points)
    def claim(self, crash: tuple[str, int]) -> MultipleResults[Run]:
        training = {model.group for model in self.models.values() if model.run_id is not None} - {None}
        queued = [job_id for job_id in self.queued() if self.models[job_id].group not in training]
        self.let_delays_pass()
        done, run = self.attempt(crash, lambda: self.store.claim("wrk", CPU))
        if not done or not queued:
            assert run is None
            return multiple()
        # The oldest one, with its group; where the worker died before it heard of its claim, only the database knows
        # the run.
        group = self.models[queued[0]].group
        taken = [job_id for job_id in queued if group is not None and self.models[job_id].group == group] or queued[:1]
        begins_anew = self.models[taken[0]].checkpoint is None
        run_id = self.take(taken)
        if group is not None:
            for job_id, model in self.models.items():
                if model.group == group and job_id not in taken and (begins_anew or model.state not in TERMINAL):
                    model.leave(is_alone=False)
        assert run is None or (run.run_id, [job.id for job in run.jobs]) == (run_id, taken)
        return multiple(*((run_id, job_id) for job_id in taken))

    @rule(target=runs, run=runs, limit=st.integers(1, 3), crash=crash_points)
    def join(self, run: Run, limit: int, crash: tuple[str, int]) -> MultipleResults[Run]:
        model = self.current(run)
        self.let_delays_pass()
        with self.refused_if(model is None):
            done, joined = self.attempt(crash, lambda: self.store.join(*run, CPU, limit, 10**9))
            assert model is not None or not done
            if done and model is not None and model.may_join and model.state is JobState.STARTING:
                company = [job_id for job_id in self.queued() if self.models[job_id].may_join][:limit]
                assert joined is None or [job.id for job in joined.jobs] == sorted([run[1], *company])
                if company:
                    assert self.take(company) == run[0]
                    for job_id in (run[1], *company):
                        self.models[job_id].group = run[0]
                return multiple(*((run[0], job_id) for job_id in company))
            assert joined is None or [job.id for job in joined.jobs] == [run[1]]
        return multiple()

    def queued(self) -> list[str]:
        return sorted(job_id for job_id, model in self.models.items() if model.state is JobState.QUEUED)

    def take(self, job_ids: Collection[str]) -> int:
        """Note in the model what the database says of jobs that a run has taken."""
        with self.database.read() as connection:
            query = text("SELECT run_id FROM jobs WHERE id = :id")
            (run_id,) = {connection.execute(query, {"id": job_id}).scalar_one() for job_id in job_ids}
        for job_id in job_ids:
            model = self.models[job_id]
            model.go(JobState.STARTING)
            model.run_id = run_id
            model.attempt += 1
        assert isinstance(run_id, int)
        return run_id

    @rule(run=runs, crash=crash_points)
    def start(self, run: Run, crash: tuple[str, int]) -> None:
        of_run = {job_id: model for job_id, model in self.models.items() if model.run_id == run[0]}
        done, trains = self.attempt(crash, lambda: self.store.start_all(run[0]))
        if done:
            for model in of_run.values():
                if model.state is JobState.STARTING:
                    model.go(JobState.RUNNING)
            assert trains in (None, {job_id: model.state is JobState.RUNNING for job_id, model in of_run.items()})

    @rule(
        run=runs,
        steps=st.lists(st.integers(0, 5), max_size=4),
        saves=st.sampled_from(["no", "yes", "apart"]),
        crash=crash_points,
    )
    def append(self, run: Run, steps: list[int], saves: str, crash: tuple[str, int]) -> None:
        model = self.current(run)
        new = [NewRecord("metrics", {"step": step}, 1.0, key=f"step:{step}") for step in steps]
        if saves != "no":
            apart = {"apart": True} if saves == "apart" else {}
            new.append(NewRecord("checkpoint", {"step": len(steps), **apart}, 1.0))
        with self.refused_if(model is None):
            done, _ = self.attempt(crash, lambda: append(self.store, *run, new))
            assert model is not None or not done
            if done and model is not None:
                model.steps = list(dict.fromkeys(model.steps + steps))
                if saves == "apart":
                    model.leave(is_alone=False)
                if saves != "no":
                    model.checkpoint = (run[0], str(len(steps)))
                    if len(steps) > model.furthest:
                        model.num_lost, model.furthest = 0, len(steps)

    @rule(run=runs, ok=st.booleans(), files=st.booleans(), crash=crash_points)
    def finish(self, run: Run, ok: bool, files: bool, crash: tuple[str, int]) -> None:
        model = self.current(run)
        state = JobState.SUCCEEDED if ok else JobState.FAILED
        if model is not None and state not in TRANSITIONS[model.state]:
            state = JobState.FAILED
        with self.refused_if(model is None):
            artifacts = FILES if files else []
            done, _ = self.attempt(crash, lambda: finish(self.store, *run, state, artifacts=artifacts))
            assert model is not None or not done
            if done and model is not None:
                model.go(state, with_files=files)

    @rule(run=runs, crash=crash_points)
    def requeue(self, run: Run, crash: tuple[str, int]) -> None:
        model = self.current(run)
        with self.refused_if(model is None):
            done, _ = self.attempt(crash, lambda: requeue(self.store, *run))
            assert model is not None or not done
            if done and model is not None:
                model.give_back()

    @rule(run=runs, is_alone=st.booleans(), crash=crash_points)
    def leave(self, run: Run, is_alone: bool, crash: tuple[str, int]) -> None:
        model = self.current(run)
        end = Settlement(job_id=run[1], state=JobState.QUEUED, alone=is_alone, leaves=not is_alone)
        with self.refused_if(model is None):
            done, _ = self.attempt(crash, lambda: self.store.settle(run[0], [end]))
            assert model is not None or not done
            if done and model is not None:
                model.leave(is_alone=is_alone)
                model.give_back()

    @rule(run=runs, crash=crash_points)
    def lose_runner(self, run: Run, crash: tuple[str, int]) -> None:
        model = self.current(run)
        with self.refused_if(model is None):
            done, _ = self.attempt(crash, lambda: lose(self.store, *run, LOST, LOST, artifacts=FILES))
            assert model is not None or not done
            if done and model is not None:
                model.lose(with_files=True)

    @rule(run=runs, crash=crash_points)
    def lose_worker(self, run: Run, crash: tuple[str, int]) -> None:
        of_run = sorted(job_id for job_id, model in self.models.items() if model.run_id == run[0])
        with self.database.write() as connection:
            connection.execute(text("UPDATE runs SET lease_until = 1 WHERE id = :id"), {"id": run[0]})
        done, freed = self.attempt(crash, self.store.expire_leases)
        assert freed in (None, of_run)
        if done and of_run:
            for job_id in of_run:
                self.models[job_id].lose()
            return
        assert self.store.renew(run[0]) == bool(of_run)

    @rule(job_id=jobs, crash=crash_points)
    def cancel(self, job_id: str, crash: tuple[str, int]) -> None:
        model = self.models.get(job_id)
        possible = set(JobState) - {JobState.SUCCEEDED, JobState.FAILED}
        with self.refused_unless_in(model, possible):
            done, _ = self.attempt(crash, lambda: self.store.request_cancel(TENANT, job_id))
            if not done:
                return
            assert model is not None
            assert model.state in possible
            if model.state in (JobState.QUEUED, JobState.PAUSED):
                model.go(JobState.CANCELLED)
            elif model.state in (JobState.STARTING, JobState.RUNNING, JobState.PAUSING):
                model.go(JobState.CANCELLING)

    @rule(job_id=jobs, crash=crash_points)
    def pause(self, job_id: str, crash: tuple[str, int]) -> None:
        model = self.models.get(job_id)
        possible = set(JobState) - TERMINAL - {JobState.CANCELLING}
        with self.refused_unless_in(model, possible):
            done, _ = self.attempt(crash, lambda: self.store.request_pause(TENANT, job_id))
            if not done:
                return
            assert model is not None
            assert model.state in possible
            model.resume_requested = False
            if model.state is JobState.QUEUED:
                model.go(JobState.PAUSED)
            elif model.state in (JobState.STARTING, JobState.RUNNING):
                model.go(JobState.PAUSING)

    @rule(job_id=jobs, crash=crash_points)
    def resume(self, job_id: str, crash: tuple[str, int]) -> None:
        model = self.models.get(job_id)
        possible = set(JobState) - TERMINAL - {JobState.CANCELLING}
        with self.refused_unless_in(model, possible):
            done, _ = self.attempt(crash, lambda: self.store.resume(TENANT, job_id))
            if not done:
                return
            assert model is not None
            assert model.state in possible
            if model.state is JobState.PAUSED:
                model.go(JobState.QUEUED)
            elif model.state is JobState.PAUSING:
                model.resume_requested = True

    @rule(crash=crash_points)
    def pay_files(self, crash: tuple[str, int]) -> None:
        owing = [job.id for job in self.store.owing_files()]
        assert set(owing) == {job_id for job_id, model in self.models.items() if model.owes_files}
        for job_id in owing:
            done, _ = self.attempt(crash, lambda job_id=job_id: self.store.pay_files(job_id, FILES))
            self.models[job_id].owes_files = not done

    @rule(job_id=consumes(jobs), crash=crash_points)
    def delete(self, job_id: str, crash: tuple[str, int]) -> None:
        model = self.models.get(job_id)
        with self.refused_unless_in(model, TERMINAL):
            done, _ = self.attempt(crash, lambda: self.store.delete(TENANT, job_id))
            if done:
                assert model is not None
                assert model.state in TERMINAL
                del self.models[job_id]

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
            saved = job.checkpoint and (job.checkpoint["run_id"], str(job.checkpoint["step"]))
            assert saved == model.checkpoint
        assert {job.id for job in self.store.list(TENANT, limit=1000).data} == set(self.models)

    @invariant()
    def the_groups_are_as_the_model_says(self) -> None:
        if not hasattr(self, "store"):
            return
        with self.database.read() as connection:
            rows = connection.execute(text("SELECT id, group_id, alone FROM jobs")).all()
        assert {row.id: bool(row.alone) for row in rows} == {one: model.is_alone for one, model in self.models.items()}
        pairs = {(self.models[row.id].group, row.group_id) for row in rows}
        assert len(pairs) == len({group for group, _ in pairs}) == len({group_id for _, group_id in pairs})
        assert all((group is None) == (group_id is None) for group, group_id in pairs)

    def current(self, run: Run) -> Model | None:
        """Return the model of the job if the run is its current one."""
        model = self.models.get(run[1])
        return model if model is not None and model.run_id == run[0] else None

    def let_delays_pass(self) -> None:
        with self.database.write() as connection:
            connection.execute(text("UPDATE jobs SET claimable_at = created_at"))

    @contextmanager
    def refused_if(self, stale: bool) -> Iterator[None]:
        """A stale run is refused, and only such a one."""
        try:
            yield
        except StaleRunError:
            assert stale

    @contextmanager
    def refused_unless_in(self, model: Model | None, possible: Collection[JobState]) -> Iterator[None]:
        """An action may be refused where the job is not there, or not in one of these states."""
        try:
            yield
        except JobNotFoundError:
            assert model is None
        except IllegalActionError:
            assert model is not None
            assert model.state not in possible


@pytest.mark.timeout(300)
def test_any_order_of_events_with_crashes_leaves_the_store_as_the_model_says(migrated_settings: Settings) -> None:
    settings = migrated_settings.model_copy(update={"lease_s": 1000.0, "max_attempts": MAX_ATTEMPTS})
    machine = type("Machine", (StoreMachine,), {"settings": settings})

    run_state_machine_as_test(
        machine,
        settings=hypothesis_settings(
            max_examples=40,
            stateful_step_count=35,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
