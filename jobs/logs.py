"""JSON lines on stderr, from our own loggers and the libraries', with secrets removed."""

import logging
import re
import sys
from typing import Any

import structlog

REDACTED = "[redacted]"

_SECRET_NAMES = re.compile(r"authorization|password|secret|api_?key|token|cookie", re.IGNORECASE)
_KEYS = re.compile(r"\brc_([0-9A-Za-z]{4,36})_[0-9A-Za-z_-]{8,}")
_URL_PASSWORDS = re.compile(r"(\w+://[^\s:/@]*):[^\s@/]+@")


def redact(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Remove API keys, passwords in URLs, and fields whose names mark them as secret."""
    return {name: _redact(name, value) for name, value in event.items()}


def redact_text(text: str) -> str:
    """Strike out API keys, and passwords in URLs."""
    return _URL_PASSWORDS.sub(rf"\1:{REDACTED}@", _KEYS.sub(rf"rc_\1_{REDACTED}", text))


def configure_logging(level: str) -> None:
    """Render structlog and the standard library's logging by the same JSON renderer."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(["job_id"])],
        processors=[remove_meta, redact, structlog.processors.JSONRenderer()],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose keyword arguments become fields."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _redact(name: str, value: Any) -> Any:
    if _SECRET_NAMES.search(name):
        return REDACTED
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {key: _redact(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redact("", inner) for inner in value]
    return value
