"""Workers and the server as operators see them."""

from typing import Literal

from api.http.schemas import View
from api.http.times import Time


class Slot(View):
    """A place where a worker runs one job at a time."""

    device: str
    job_ids: list[str]


class WorkerView(View):
    """A worker."""

    id: str
    node: str
    pool: str | None
    state: Literal["ready", "draining", "drained", "lost"]
    slots: list[Slot]
    versions: dict[str, str]
    heartbeat_at: Time


class WorkerList(View):
    """The workers."""

    data: list[WorkerView]


class Health(View):
    """The server's own state."""

    status: Literal["ok"] = "ok"
