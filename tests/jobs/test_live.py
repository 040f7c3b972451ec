import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.live import Notifier, Wakeups
from jobs.settings import Settings


def _with_wakeups(settings: Settings, body: Callable[[Wakeups], Awaitable[None]]) -> None:
    async def run() -> None:
        wakeups = Wakeups(settings)
        try:
            await body(wakeups)
        finally:
            await wakeups.close()

    asyncio.run(run())


def test_a_notice_wakes_those_who_listen_to_the_job_only(redis_url: str) -> None:
    settings = Settings(redis_url=redis_url)
    notifier = Notifier(settings)

    async def body(wakeups: Wakeups) -> None:
        async with (
            wakeups.listen("job_1") as one,
            wakeups.listen("job_1") as two,
            wakeups.listen("job_2") as other,
        ):
            # Subscribing wakes everybody once.
            assert [await listener.wait(5) for listener in (one, two, other)] == [True] * 3

            assert notifier.notify("job_1")

            assert await one.wait(5)
            assert await two.wait(5)
            assert not await other.wait(0.1)

    _with_wakeups(settings, body)
    notifier.close()


def test_a_notice_between_two_waits_is_not_lost(redis_url: str) -> None:
    settings = Settings(redis_url=redis_url)
    notifier = Notifier(settings)

    async def body(wakeups: Wakeups) -> None:
        async with wakeups.listen("job_1") as listener:
            await listener.wait(5)
            notifier.notify("job_1")
            await asyncio.sleep(0.2)

            assert await listener.wait(0.01)
            assert not await listener.wait(0.01)

    _with_wakeups(settings, body)
    notifier.close()


def test_many_jobs_are_woken_in_one_round_trip(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import redis

    settings = Settings(redis_url=redis_url)
    notifier = Notifier(settings)
    client = redis.Redis.from_url(redis_url)
    subscription = client.pubsub(ignore_subscribe_messages=True)
    subscription.psubscribe("regcore:job:*")
    subscription.get_message(timeout=5)  # that it is subscribed
    num_sent = 0
    send = redis.connection.AbstractConnection.send_packed_command

    def count(*args: Any, **kwargs: Any) -> None:
        nonlocal num_sent
        num_sent += 1
        send(*args, **kwargs)

    assert notifier.notify("job_0")  # and so is connected
    monkeypatch.setattr(redis.connection.AbstractConnection, "send_packed_command", count)

    assert notifier.notify(*(f"job_{n}" for n in range(1, 65)))
    assert notifier.notify()

    assert num_sent == 1
    heard = [subscription.get_message(timeout=5)["channel"] for _ in range(65)]
    assert heard == [f"regcore:job:job_{n}".encode() for n in range(65)]
    subscription.close()
    notifier.close()
    client.close()


def test_without_redis_a_listener_wakes_by_time(tmp_path: Path) -> None:
    settings = Settings(redis_url=f"unix://{tmp_path}/none.sock")

    async def body(wakeups: Wakeups) -> None:
        assert await wakeups.wait("job_1", 5)
        async with wakeups.listen("job_1") as listener:
            assert await listener.wait(5)

    _with_wakeups(settings, body)


def test_a_wait_ends_after_its_time(redis_url: str) -> None:
    async def body(wakeups: Wakeups) -> None:
        await wakeups.wait("job_1", 5)

        assert not await wakeups.wait("job_1", 0.05)

    _with_wakeups(Settings(redis_url=redis_url), body)


def test_listeners_come_back_after_redis_dropped_them(redis_url: str) -> None:
    import redis

    settings = Settings(redis_url=redis_url)
    notifier = Notifier(settings)
    client = redis.Redis.from_url(redis_url)

    async def body(wakeups: Wakeups) -> None:
        async with wakeups.listen("job_1") as listener:
            await listener.wait(5)
            client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            assert await listener.wait(5)  # the connection is lost
            while await listener.wait(1.5):  # it is back, and wakes once more
                pass

            notifier.notify("job_1")

            assert await listener.wait(5)

    _with_wakeups(settings, body)
    notifier.close()
    client.close()


def test_nobody_is_remembered_who_left(redis_url: str) -> None:
    async def body(wakeups: Wakeups) -> None:
        async with wakeups.listen("job_1"), wakeups.listen("job_1"):
            assert list(wakeups._listeners) == ["job_1"]

        assert wakeups._listeners == {}

    _with_wakeups(Settings(redis_url=redis_url), body)


def test_a_notice_without_redis_fails_at_once_and_then_keeps_silent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier(Settings(redis_url=f"unix://{tmp_path}/none.sock"))

    began = time.monotonic()
    sent = [notifier.notify("job_1") for _ in range(100)]
    notifier.close()

    assert not any(sent)
    assert time.monotonic() - began < 1
    assert len(caplog.records) == 1
