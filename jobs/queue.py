"""Celery, and the one message of the project: "there may be work". A hint; the row is the truth.

A lost message costs a few seconds, until the reconciler sends it again; a repeated one costs a claim that finds
nothing.
"""

import logging
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from jobs.settings import Settings
from jobs.urls import broker_url

TASK_NAME = "regcore.work"
QUEUE_NAME = "regcore"

_PUBLISH_TIMEOUT_S = 0.3
_MESSAGE_LIFE_S = 300
"""A hint that waited this long is useless: the reconciler has sent newer ones."""

_logger = logging.getLogger(__name__)


def make_celery(settings: Settings) -> Celery:
    """Return the app that a worker runs on."""
    app = Celery("regcore", broker=broker_url(settings.redis_url))
    app.conf.update(
        # With late acks, a dropped connection or the visibility timeout would run a message twice.
        task_acks_late=False,
        # With a result backend, cancel-on-connection-loss lost jobs in our tests.
        task_ignore_result=True,
        result_backend=None,
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        task_serializer="json",
        accept_content=["json"],
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "socket_timeout": 30,
            "socket_keepalive": True,
            "health_check_interval": 25,
        },
        task_default_queue=QUEUE_NAME,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    return app


def make_publisher(settings: Settings) -> Celery:
    """Return an app for publishing only. It gives up soon, because a submit must not wait for Redis."""
    app = make_celery(settings)
    timeouts = {"socket_timeout": _PUBLISH_TIMEOUT_S, "socket_connect_timeout": _PUBLISH_TIMEOUT_S}
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, **timeouts, "max_retries": 0}
    app.conf.broker_connection_timeout = _PUBLISH_TIMEOUT_S
    return app


def publish(celery: Celery, job_id: str) -> bool:
    """Tell the workers that there may be work; False, and a line in the log, if Redis is away."""
    options: dict[str, Any] = {"expires": _MESSAGE_LIFE_S, "retry": False, "ignore_result": True}
    try:
        celery.send_task(TASK_NAME, args=[job_id], **options)
    except (OperationalError, RedisError, OSError) as error:
        _logger.warning("could not publish; the reconciler will: %s", error, extra={"job_id": job_id})
        return False
    return True
