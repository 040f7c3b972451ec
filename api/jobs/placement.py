"""Whether any present worker could take a job. If none can, that is a warning, because one may start later."""

from collections.abc import Iterable, Sequence

from api.services import Services
from jobs.model import Capabilities
from regcore.plan import Plan, SpecWarning


def placed(services: Services, plan: Plan) -> Plan:
    """Return the plan, with a warning if no ready worker has its device, pool and plugins."""
    return plan.model_copy(update={"warnings": [*plan.warnings, *placement_warnings(services, [plan])]})


def placement_warnings(services: Services, plans: Iterable[Plan]) -> list[SpecWarning]:
    """Return a warning, each once, for plans that no present worker can take."""
    wanted = {_needs(plan) for plan in plans} - {("auto", None, ())}  # which any worker can take
    if not wanted:
        return []
    ready = [
        Capabilities(frozenset(one.devices), one.pool, frozenset(one.plugins))
        for one in services.store.workers()
        if one.state == "ready"
    ]
    found = [
        _warning(*needs, ready)
        for needs in sorted(wanted, key=str)
        if not any(worker.can_take(*needs) for worker in ready)
    ]
    return list({(one.code, one.message): one for one in found}.values())


def _needs(plan: Plan) -> tuple[str, str | None, tuple[str, ...]]:
    """Device, pool and plugins of a job."""
    asked = plan.resolved_spec.resources
    return asked.device, asked.pool, tuple(plan.plugins)


def _warning(device: str, pool: str | None, plugins: Sequence[str], ready: Sequence[Capabilities]) -> SpecWarning:
    of_pool = [worker for worker in ready if pool in (None, worker.pool)]
    if pool is not None and not of_pool:
        pools = sorted({worker.pool for worker in ready if worker.pool is not None})
        return SpecWarning(
            code="no_such_pool",
            pointer="/resources/pool",
            message=f"No worker that is ready is of pool {pool!r}; {_listed(pools)}. It would wait.",
            remedy="Name another pool, or start a worker of this one.",
        )
    otherwise = [worker for worker in of_pool if worker.can_take(device, pool)]
    if plugins and (otherwise or device == "auto"):
        there = sorted({plugin for worker in otherwise for plugin in worker.plugins})
        return SpecWarning(
            code="no_such_plugin",
            pointer="",
            message=f"No worker that is ready and could otherwise take it has {' and '.join(plugins)}, the installed "
            f"packages that its kinds are from; {_listed(there)}. It would wait.",
            remedy="Install them where a worker runs and restart it, or leave their kinds out.",
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
