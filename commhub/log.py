"""Log lines: fields, not sentences; text on a terminal, JSON otherwise.

error = someone lost something; warning = recovered; info = one line per lifecycle transition; debug = the
rest; nothing per packet. Who did what goes to the audit trail, not here.

    log = get(__name__)
    log.info("room opened", room=room_id, worker=0)

`Secret` and `Pii` (of `commhub.hidden`) carry what must never be printed; `limited` keeps a hostile peer from filling the disk.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Hashable, MutableMapping
from typing import Any, Literal, TextIO

if "rich" in sys.modules:
    import structlog
else:
    # structlog loads it where there is one, for tracebacks that print local variables: a fifth of a second of each process.
    sys.modules["rich"] = None  # type: ignore[assignment]
    import structlog

    del sys.modules["rich"]

from commhub.hidden import Pii, Secret

__all__ = ["Format", "Level", "Limiter", "Pii", "Secret", "configure", "get", "limited"]

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "text", "json"]

# Libraries whose lines say less than ours, or carry what must not be logged: aiohttp's access log holds the
# query string, and LiveKit clients put their token there.
_QUIETER = {
    "aiohttp.access": logging.CRITICAL,
    "aioice": logging.WARNING,
    "aiortc": logging.WARNING,
    "aiosqlite": logging.WARNING,
    "alembic": logging.WARNING,
    "asyncio": logging.WARNING,
    "libav": logging.ERROR,
    "sqlalchemy": logging.WARNING,
}


class Limiter:
    """Lets one line per key and interval through, and counts the others.

    Keys may come from hostile peers, so the table is bounded: when it is full the oldest key is forgotten.
    """

    def __init__(self, capacity: int = 4096) -> None:
        self._capacity = capacity
        self._seen: dict[Hashable, tuple[float, int]] = {}

    def __call__(self, key: Hashable, seconds: float, now: float | None = None) -> int | None:
        """The number of lines suppressed since the last one of `key`, or None: say nothing now.

        `now` is monotonic seconds; without it the clock is read.
        """
        if now is None:
            now = time.monotonic()
        known = self._seen.get(key)
        if known is not None and now - known[0] < seconds:
            self._seen[key] = (known[0], known[1] + 1)
            return None
        if known is None and len(self._seen) >= self._capacity:
            del self._seen[next(iter(self._seen))]
        self._seen.pop(key, None)  # re-inserted at the end: insertion order is age
        self._seen[key] = (now, 0)
        return known[1] if known is not None else 0


limited = Limiter()
"""`if (suppressed := limited(("stun", address), 60)) is not None: log.warning(…, suppressed=suppressed)`"""


def get(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module: `log = get(__name__)`; `log.info(event, **fields)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


_CHAIN: list[structlog.types.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
]

# Ours and the standard library's lines go the same way from the first import, configured or not.
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_CHAIN,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
)


def configure(level: Level = "info", format: Format = "auto", process: str = "", stream: TextIO | None = None) -> None:
    """Sets up this process's log on `stream` (stderr unless told); `process` names it on every line.

    May be called again, the last call counts.
    """
    out = sys.stderr if stream is None else stream

    def name_process(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if process:
            event["process"] = process
        return event

    render: list[structlog.types.Processor]
    if format == "text" or (format == "auto" and out.isatty()):
        # Never the pretty traceback: it prints local variables, among them keys and tokens.
        render = [
            structlog.dev.ConsoleRenderer(
                colors=out.isatty(),
                timestamp_key="time",
                pad_event_to=0,
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    else:
        render = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_CHAIN,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, name_process, *render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name, least in _QUIETER.items():
        logging.getLogger(name).setLevel(max(least, root.level))
