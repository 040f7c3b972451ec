import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from jobs.queue import QUEUE_NAME, TASK_NAME, make_celery, make_publisher, publish
from jobs.settings import Settings


@pytest.fixture
def empty_redis(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    with closing(client):
        client.flushall()
        yield client


def test_the_settings_that_keep_a_job_from_running_twice() -> None:
    conf = make_celery(Settings()).conf

    assert conf.task_acks_late is False
    assert conf.task_ignore_result is True
    assert conf.result_backend is None
    assert conf.worker_disable_prefetch is True
    assert conf.worker_prefetch_multiplier == 1
    assert conf.worker_cancel_long_running_tasks_on_connection_loss is False
    assert conf.task_serializer == "json"
    assert list(conf.accept_content) == ["json"]
    assert conf.broker_connection_retry_on_startup is True
    assert conf.broker_connection_max_retries is None
    assert conf.broker_transport_options == {
        "socket_timeout": 30,
        "socket_keepalive": True,
        "health_check_interval": 25,
    }


def test_a_message_names_the_task_and_the_job(empty_redis: redis.Redis, redis_url: str) -> None:
    publisher = make_publisher(Settings(redis_url=redis_url))

    sent = publish(publisher, "job_1")
    publisher.close()

    (message,) = empty_redis.lrange(QUEUE_NAME, 0, -1)
    headers = json.loads(message)["headers"]
    assert sent
    assert headers["task"] == TASK_NAME
    assert headers["expires"] is not None
    assert "job_1" in headers["argsrepr"]


def test_a_submit_does_not_wait_for_a_redis_that_is_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    publisher = make_publisher(Settings(redis_url=f"unix://{tmp_path}/none.sock"))

    began = time.monotonic()
    sent = publish(publisher, "job_1")

    assert not sent
    assert time.monotonic() - began < 1
    assert caplog.records[-1].job_id == "job_1"


def test_a_submit_does_not_wait_for_a_redis_that_hangs() -> None:
    with socket.socket() as listener:  # accepts, and never answers
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        publisher = make_publisher(Settings(redis_url=f"redis://127.0.0.1:{listener.getsockname()[1]}/0"))

        began = time.monotonic()
        sent = publish(publisher, "job_1")

    assert not sent
    assert time.monotonic() - began < 1


def test_publishing_works_again_once_redis_is_back(empty_redis: redis.Redis, redis_url: str) -> None:
    publisher = make_publisher(Settings(redis_url=redis_url))
    before = publish(publisher, "job_1")
    empty_redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    results = [publish(publisher, "job_2") for _ in range(3)]
    publisher.close()

    assert before
    assert results[-1]
