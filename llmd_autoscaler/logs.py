"""Log lines of every process: one JSON object an event, on stdout."""

import logging
from collections.abc import Callable

import structlog
from structlog.typing import EventDict, WrappedLogger


def configure_logging(now_s: Callable[[], float]) -> None:
    """JSON lines on stdout from here on; `at_s` is the process's clock."""

    def stamp(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["at_s"] = round(now_s(), 3)
        return event

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            stamp,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(),
        cache_logger_on_first_use=False,
    )
