"""Whether any present worker could take a job. If none can, that is a warning, because one may start later."""

from collections.abc import Iterable, Sequence

from api.services import Services
from jobs.model import Capabilities
from regcore.plan import Plan, SpecWarning


def placed(services: Services, plan: Plan) -> Plan:
    """Return the plan, with a warning if no ready worker has its device or pool."""
    return plan.model_copy(update={"warnings": [*plan.warnings, *placement_warnings(services, [plan])]})


def placement_warnings(services: Services, plans: Iterable[Plan]) -> list[SpecWarning]:
    """Return a warning, each once, for plans that no present worker can take."""
    wanted = {(plan.resolved_spec.resources.device, plan.resolved_spec.resources.pool) for plan in plans}
    if wanted <= {("auto", None)}:  # any worker can take it
        return []
    ready = [Capabilities(frozenset(one.devices), one.pool) for one in services.store.workers() if one.state == "ready"]
    found = [
        _warning(device, pool, ready)
        for device, pool in sorted(wanted - {("auto", None)}, key=str)
        if not any(worker.can_take(device, pool) for worker in ready)
    ]
    return list({(one.code, one.message): one for one in found}.values())


def _warning(device: str, pool: str | None, ready: Sequence[Capabilities]) -> SpecWarning:
    of_pool = [worker for worker in ready if pool in (None, worker.pool)]
    if pool is not None and not of_pool:
        pools = sorted({worker.pool for worker in ready if worker.pool is not None})
        return SpecWarning(
            code="no_such_pool",
            pointer="/resources/pool",
            message=f"No worker that is ready is of pool {pool!r}; {_listed(pools)}. It would wait.",
            remedy="Name another pool, or start a worker of this one.",
        )
    devices = sorted({device for worker in of_pool for device in worker.devices})
    where = "" if pool is None else f" of pool {pool!r}"
    return SpecWarning(
        code="no_such_device",
        pointer="/resources/device",
        message=f"No worker{where} that is ready has {device}; {_listed(devices)}. It would wait.",
        remedy="Use device auto, or start a worker that has it.",
    )


def _listed(names: Sequence[str]) -> str:
    return f"there is {', '.join(names)}" if names else "there is none"
