"""The rungs of a halving: which members have reached them, and which continue. A decision is final."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

from sqlalchemy import Connection, insert, select

from jobs.errors import StaleRunError
from jobs.model import Json
from jobs.store.base import Concern
from jobs.store.log import lock_jobs
from jobs.tables import jobs, runs, sweep_rungs, sweeps

Values = Collection[float | None]
Mode = Literal["min", "max"]
Decide = Callable[[Mapping[str, tuple[Values, bool]], Mapping[str, Values], int, Mode], dict[str, bool]]
"""From the candidates of earlier decisions, those that arrive, eta and mode: which of the arriving continue."""


class SweepRungs(Concern):
    """Judging members of a halving."""

    def judge_rung(
        self, run_id: int, epoch: int, values: Mapping[str, float | None], decide: Decide
    ) -> dict[str, bool]:
        """Decide which of these jobs of a run continue, and store that.

        Members compete only within their variant, so that every variant has some that are trained to the end. Jobs that
        differ only in their seed continue together or stop together: a later one follows the decision.

        Args:
            run_id: The fence.
            epoch: The rung.
            values: The metric of each job that has reached it.
            decide: Chooses the candidates that continue. It gets the arriving ones in the order in which their jobs
                were created.

        Raises:
            StaleRunError: The run is not the current one of one of them.
        """
        with self._database.write() as connection:
            mine = (runs.c.id == run_id, runs.c.ended_at.is_(None))
            alive = connection.execute(select(runs.c.id).where(*mine).with_for_update()).first()
            # The run's row is locked before its jobs': so there is no deadlock with other writes of the run.
            locked = {job.id for job in lock_jobs(connection, jobs.c.run_id == run_id)} if alive else set()
            for job_id in values:
                if job_id not in locked:
                    raise StaleRunError(run_id, job_id)
            query = select(jobs.c.id, jobs.c.sweep_id, jobs.c.sweep).where(jobs.c.id.in_(values))
            pools: dict[tuple[str, str | None], dict[str, Json]] = defaultdict(dict)
            for row in connection.execute(query.order_by(jobs.c.sweep_id, jobs.c.id)):
                pools[row.sweep_id, row.sweep["variant"]][row.id] = row.sweep
            goes_on: dict[str, bool] = {}
            # sweeps in order, because they are locked one after the other
            for (sweep_id, variant), members in pools.items():
                goes_on |= _judge(connection, sweep_id, variant, epoch, members, values, decide)
            return goes_on


def _judge(
    connection: Connection,
    sweep_id: str,
    variant: str | None,
    epoch: int,
    members: Mapping[str, Json],
    values: Mapping[str, float | None],
    decide: Decide,
) -> dict[str, bool]:
    # One decision at a time: two groups that arrive together would not see each other's values.
    connection.execute(select(sweeps.c.id).where(sweeps.c.id == sweep_id).with_for_update())
    of_variant = sweep_rungs.c.variant.is_not_distinct_from(variant)
    query = select(sweep_rungs).where(sweep_rungs.c.sweep_id == sweep_id, sweep_rungs.c.epoch == epoch, of_variant)
    rows = connection.execute(query).all()
    known = {row.job_id: row.goes_on for row in rows}
    earlier: dict[str, tuple[list[float | None], bool]] = {}
    for row in rows:
        earlier.setdefault(row.candidate, ([], row.goes_on))[0].append(row.value)
    arriving: dict[str, list[float | None]] = defaultdict(list)
    for job_id, sweep in members.items():
        if sweep["candidate"] not in earlier:
            arriving[sweep["candidate"]].append(values[job_id])
    rungs = next(iter(members.values()))["rungs"]
    decided = {name: well for name, (_, well) in earlier.items()}
    decided |= decide(earlier, arriving, rungs["eta"], rungs["mode"])
    fresh: Sequence[Json] = [
        {
            "sweep_id": sweep_id,
            "epoch": epoch,
            "job_id": job_id,
            "variant": variant,
            "candidate": sweep["candidate"],
            "value": values[job_id],
            "goes_on": decided[sweep["candidate"]],
        }
        for job_id, sweep in members.items()
        if job_id not in known
    ]
    if fresh:
        connection.execute(insert(sweep_rungs), fresh)
    return {job_id: known.get(job_id, decided[sweep["candidate"]]) for job_id, sweep in members.items()}
