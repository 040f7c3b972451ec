"""A stack to break, on each database, whole again before each test; and the runs that nobody breaks."""

import functools
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from live_stack import FAULTY_WORKER, LiveStack, live_stack

from regcore import parse_spec, train

LEASE_S = 2
SECOND_WORKER = "worker2"


@pytest.fixture(scope="module")
def _shared(database_url: str | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    folder = tmp_path_factory.mktemp("stack")
    with live_stack(folder, database_url, worker=FAULTY_WORKER, lease_s=LEASE_S, reconcile_interval_s=0.2) as stack:
        yield stack


@pytest.fixture
def stack(_shared: LiveStack, request: pytest.FixtureRequest) -> Iterator[LiveStack]:
    """The module's stack: Redis, api and one worker, all alive."""
    # A second worker stays for the next test that wants one: to start it takes as long as many a test.
    if "second_worker" not in request.fixturenames and (second := _shared.parts.get(SECOND_WORKER)):
        second.stop()
        _shared.wait_for(lambda: _shared.num_ready_workers() == 1)
    yield _shared
    _shared.parts["redis"].revive()
    _shared.await_redis()
    _shared.api.revive()
    _shared.await_api()
    _shared.worker.revive()
    _shared.wait_for(lambda: _shared.num_ready_workers() == num_alive(_shared))


def num_alive(stack: LiveStack) -> int:
    """The workers whose process lives."""
    workers = [part for name, part in stack.parts.items() if name.startswith("worker")]
    return sum(part.returncode is None for part in workers)


@pytest.fixture
def second_worker(stack: LiveStack) -> Any:
    """Another worker, ready to take over."""
    worker = stack.parts.get(SECOND_WORKER) or stack.add_worker(2)
    worker.revive()
    stack.wait_for(lambda: stack.num_ready_workers() == 2)
    return worker


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Random moments that are the same in every run of a test, and differ between tests."""
    return random.Random(request.node.name)


@pytest.fixture
def moment(dice: random.Random) -> int:
    """A step of `make_spec`'s 1,080: behind the first checkpoint, and far from the end while training is slow."""
    return dice.randint(130, 170)


@pytest.fixture
def make_spec() -> Callable[..., dict[str, Any]]:
    """Makes jobs of a few seconds that save themselves often, each of which trains alone: so its hash is known."""

    def make(epochs: int = 60, *, checkpoint_every_s: float = 0.1, **changes: Any) -> dict[str, Any]:
        return {
            "data": {"kind": "builtin", "name": "digits"},
            "model": {"kind": "mlp", "hidden": [64]},
            "regularizers": [{"kind": "dropout", "p": 0.2}, {"kind": "l1", "strength": 1e-5}],
            "training": {"epochs": epochs, "checkpoint_every_s": checkpoint_every_s, "seed": 3},
            "fusion": "off",
            **changes,
        }

    return make


@pytest.fixture(scope="session")
def undisturbed() -> Callable[[dict[str, Any]], str]:
    """Gives `weights_sha256` of an uninterrupted run of a spec, trained in this process."""

    @functools.cache
    def sha256(spec: str) -> str:
        return train(parse_spec(json.loads(spec))).weights_sha256

    return lambda spec: sha256(json.dumps(spec))


@pytest.fixture
def check_whole(stack: LiveStack) -> Callable[[dict[str, Any]], None]:
    """Checks that nothing of a job that succeeded was lost or doubled, whatever happened on the way."""

    def check(job: dict[str, Any]) -> None:
        records = stack.records(job["id"])
        assert job["state"] == "succeeded"
        assert [one["seq"] for one in records] == list(range(1, len(records) + 1))
        steps = [one["body"]["step"] for one in records if one["kind"] == "metrics"]
        per_epoch = job["plan"]["steps_per_epoch"]
        assert steps == [per_epoch * epoch for epoch in range(1, job["plan"]["num_epochs"] + 1)]
        assert [one["body"]["state"] for one in records if one["kind"] == "state"].count("succeeded") == 1
        assert {"log.txt", "metrics.csv", "model.safetensors"} <= stack.artifact_names(job["id"])

    return check


@pytest.fixture
def check_promise(
    check_whole: Callable[[dict[str, Any]], None], undisturbed: Callable[[dict[str, Any]], str]
) -> Callable[[dict[str, Any]], None]:
    """Checks besides that a job has the very bits of one that nobody disturbed."""

    def check(job: dict[str, Any]) -> None:
        check_whole(job)
        assert job["result"]["exact"] is True
        assert job["result"]["weights_sha256"] == undisturbed(job["spec"])

    return check
