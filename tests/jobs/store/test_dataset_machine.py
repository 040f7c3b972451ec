"""Any order of what users, workers and the reconciler do to data sets, against a model in plain Python.

A claim that was lost stays around as a stale one, and keeps trying to write.
"""

import hashlib
from dataclasses import dataclass, replace

from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from jobs.database import Database
from jobs.errors import DatasetNotFoundError, IllegalActionError
from jobs.model import ClaimedDataset, NewDataset, NewJob, ParsedTable
from jobs.settings import Settings
from jobs.states import DatasetState, Reason, make_reason
from jobs.store import Store, open_store
from jobs.tables import metadata

TENANT = "tenant"
MAX_ATTEMPTS = 3
NEW_JOB = NewJob(None, {}, "normal", {}, {"resources": {"device": "auto", "pool": None}}, {})
contents = st.sampled_from([b"a", b"b", b"c"])
claims = st.integers(0, 5)


@dataclass
class Model:
    """What a data set must look like."""

    id: str
    state: DatasetState = DatasetState.VALIDATING
    attempt: int = 0
    is_held: bool = False
    num_lost: int = 0
    num_jobs: int = 0

    def lose(self) -> None:
        self.is_held = False
        self.num_lost += 1
        if self.num_lost == MAX_ATTEMPTS:
            self.state = DatasetState.INVALID


class Machine(RuleBasedStateMachine):
    store: Store
    database: Database

    @initialize()
    def begin(self) -> None:
        with self.database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        self.models: dict[bytes, Model] = {}
        self.claims: list[ClaimedDataset] = []
        self.jobs: list[tuple[str, bytes]] = []

    @rule(content=contents)
    def create(self, content: bytes) -> None:
        new = NewDataset(None, _sha256(content), 1, "auto", "csv")
        made = self.store.create_dataset(TENANT, new)

        assert made.is_new is (content not in self.models)
        model = self.models.setdefault(content, Model(made.dataset.id))
        assert made.dataset.id == model.id

    @rule()
    def claim(self) -> None:
        self._end_delays()
        claim = self.store.claim_dataset("wrk")

        free = {one.id: one for one in self.models.values() if one.state == "validating" and not one.is_held}
        assert (claim is None) is (not free)
        if claim is not None:
            free[claim.id].is_held = True
            free[claim.id].attempt += 1
            assert claim.attempt == free[claim.id].attempt
            self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(number=claims, what=st.sampled_from(["renew", "finish", "reject", "return", "lose"]))
    def write(self, number: int, what: str) -> None:
        claim = self.claims[-1 - number % len(self.claims)]
        model = self._holder(claim)
        match what:
            case "renew":
                done = self.store.renew_dataset(claim)
            case "finish":
                table = ParsedTable(
                    {}, {"columns": [], "rows": []}, 1, 1, "table", _sha256(b"table" + claim.id.encode()), 1
                )
                done = self.store.finish_dataset(claim, table)
            case "reject":
                done = self.store.reject_dataset(claim, make_reason(Reason.INVALID_DATA))
            case "return":
                done = self.store.return_dataset(claim)
            case _:
                done = self.store.lose_dataset(claim)

        assert done is (model is not None)
        if model is None or what == "renew":
            return
        model.is_held = False
        if what == "finish":
            model.state = DatasetState.READY
        if what == "reject":
            model.state = DatasetState.INVALID
        if what == "lose":
            model.lose()

    @rule()
    def expire(self) -> None:
        with self.database.write() as connection:
            connection.execute(text("UPDATE datasets SET lease_until = 1 WHERE lease_until IS NOT NULL"))

        held = [one for one in self.models.values() if one.is_held]
        assert sorted(self.store.expire_dataset_leases()) == sorted(one.id for one in held)
        for model in held:
            model.lose()

    @rule(content=contents)
    def submit(self, content: bytes) -> None:
        if content in self.models and self.models[content].state == "ready":
            job = self.store.submit(TENANT, replace(NEW_JOB, dataset_id=self.models[content].id)).job
            self.jobs.append((job.id, content))
            self.models[content].num_jobs += 1

    @precondition(lambda self: self.jobs)
    @rule()
    def end_job(self) -> None:
        job_id, content = self.jobs.pop()
        self.store.request_cancel(TENANT, job_id)
        self.models[content].num_jobs -= 1

    @rule(content=contents)
    def delete(self, content: bytes) -> None:
        model = self.models.get(content)
        try:
            freed = self.store.delete_dataset(TENANT, model.id if model else "ds_x")
        except IllegalActionError:
            assert model is not None
            assert model.num_jobs
            return
        except DatasetNotFoundError:
            assert model is None
            return
        assert model is not None
        assert not model.num_jobs
        assert _sha256(content) in freed
        del self.models[content]

    @invariant()
    def the_store_holds_what_the_model_does(self) -> None:
        listed = {one.id: one.state for one in self.store.list_datasets(TENANT).data}
        files = {_sha256(content) for content in (b"a", b"b", b"c")}

        assert listed == {one.id: one.state for one in self.models.values()}
        assert self.store.referenced(sorted(files)) == {_sha256(content) for content in self.models}
        for model in self.models.values():
            assert (self.store.dataset_table(model.id) is not None) is (model.state == "ready")

    def _holder(self, claim: ClaimedDataset) -> Model | None:
        """The data set that a claim holds, unless it was lost."""
        held = (one for one in self.models.values() if one.is_held)
        return next((one for one in held if (one.id, one.attempt) == (claim.id, claim.attempt)), None)

    def _end_delays(self) -> None:
        with self.database.write() as connection:
            connection.execute(text("UPDATE datasets SET claimable_at = 1"))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_in_any_order_every_data_set_is_read_once_or_invalid(migrated_settings: Settings, database: Database) -> None:
    settings = migrated_settings.model_copy(update={"lease_s": 1000.0, "max_attempts": MAX_ATTEMPTS})
    opened = open_store(settings)

    class Bound(Machine):
        store = opened

    Bound.database = database
    try:
        run_state_machine_as_test(
            Bound,
            settings=hypothesis_settings(
                max_examples=15,
                stateful_step_count=25,
                deadline=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        opened.close()
