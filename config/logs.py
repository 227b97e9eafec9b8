"""Log lines: structlog over the standard library, JSON for machines, colours for a terminal."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue

import structlog

# Without local variables: they hold keys and people's texts.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure(*, level: str, shape: str) -> None:
    """Send every logger to stderr in one shape: `json`, `console`, or `auto` (by terminal)."""
    as_json = shape == "json" or (shape == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: list[structlog.typing.Processor] = (
        [_TRACEBACKS, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # One line a request is ours to write (with request id and timings); uvicorn's would double it.
    logging.getLogger("uvicorn.access").disabled = True
    for noisy in (
        "httpx",
        "httpx2",
        "httpcore",
        "httpcore2",
        "apscheduler",
        "transformers",
        "asyncio",
    ):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


class _Passing(QueueHandler):
    """Hands records on untouched: the formatter at the other end wants structlog's own fields."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record


@contextmanager
def written_in_background() -> Iterator[None]:
    """Format and write log lines on a thread of their own; all are written when the block ends.

    A line costs more than the rest of a small request, and the event loop has the next one waiting.
    """
    root = logging.getLogger()
    handlers = root.handlers[:]
    lines: SimpleQueue[logging.LogRecord] = SimpleQueue()
    listener = QueueListener(lines, *handlers)
    root.handlers[:] = [_Passing(lines)]
    listener.start()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        listener.stop()
