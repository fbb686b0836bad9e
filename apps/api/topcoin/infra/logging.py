"""Logs: one JSON object a line in production, readable lines elsewhere; ours and those of libraries alike.

An event has a name in snake_case and fields, so that a program can search it. What is named like a secret is never
written, whoever passes it.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

REDACTED: Final = "[redacted]"

_SECRET_WORDS: Final = ("password", "secret", "token", "authorization", "cookie", "api_key", "csrf")
_TRACEBACKS_WITHOUT_VALUES: Final = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
"""Variables of a failed function may hold anything, a password too."""

_QUIET: Final = ("alembic.runtime.plugins", "uvicorn.access", "httpx", "httpcore")
"""Loggers whose news are told by ourselves, or hold addresses with secrets in them."""


def configure_logging(*, as_json: bool, level: int = logging.INFO) -> None:
    """Send all logs of this process to the error output, which leaves the standard output to commands."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last: list[structlog.types.Processor] = (
        [_TRACEBACKS_WITHOUT_VALUES, structlog.processors.JSONRenderer()]
        if as_json
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401, ARG001 - structlog's signature
    """Replace the value of every field that is named like a secret."""
    for name in event:
        if any(word in name.lower() for word in _SECRET_WORDS) and not name.lower().endswith("_id"):
            event[name] = REDACTED
    return event
