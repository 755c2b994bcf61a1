"""Log lines on stderr: readable ones for a console, one JSON object each for a collector."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal, TextIO

from opentelemetry import trace

from streams.clock import rfc3339

# Libraries that repeat themselves: with a broker down aiokafka logs thousands of "Unable connect"
# lines. The bridge says why for every request it has to refuse, aiohttp tells each error of ours,
# and the worker each record put off or dead: of those the outcomes have every one.
NOISY_LOGGERS = (
    "aiohttp",
    "aiokafka",
    "faust",
    "mode",
    "opentelemetry",
    "streams.bridge",
    "streams.listening",
    "streams.worker.report",
    "streams.worker.road",
)

# One line of a kind in this time shows that the trouble lasts without burying what else is said.
REPEAT_SECONDS = 10.0

# Kinds of line remembered: keeps messages that were put together before they were logged, each a
# kind of its own, from filling memory.
REMEMBERED_KINDS = 500

# Their debug lines cost a sixth of the worker's CPU, and their info lines repeat what ours say.
QUIET_LOGGERS = ("aiokafka", "faust", "mode")

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

# Text that came from outside may not break a line, nor colour the terminal.
_ESCAPED = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
}

_COLOURS = {"DEBUG": "2", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}


def configure(
    log_format: Literal["console", "json"], level: str, stream: TextIO | None = None
) -> None:
    """Send the whole process' log to ``stream`` (stderr). Replaces what was configured before.

    ``level``: debug, info, warning or error.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    coloured = handler.stream.isatty() and "NO_COLOR" not in os.environ
    handler.setFormatter(JsonFormatter() if log_format == "json" else ConsoleFormatter(coloured))
    handler.addFilter(RepeatFilter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in QUIET_LOGGERS:
        quiet = logging.NOTSET if level == "debug" else logging.WARNING
        logging.getLogger(name).setLevel(quiet)


class ConsoleFormatter(logging.Formatter):
    """``time level logger message key=value…``, and a traceback below when there is one."""

    def __init__(self, coloured: bool) -> None:
        super().__init__()
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        level = f"{record.levelname:<7}"
        if self._coloured and (colour := _COLOURS.get(record.levelname)):
            level = f"\x1b[{colour}m{level}\x1b[0m"
        message = record.getMessage().translate(_ESCAPED)
        line = f"{rfc3339(record.created)} {level} {record.name} {message}"
        for name, value in _extras(record).items():
            line += f" {name}={_quoted(str(value).translate(_ESCAPED))}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonFormatter(logging.Formatter):
    """One object a line: ts, level, logger, message, the current span's ids, extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "ts": rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            fields["trace_id"] = trace.format_trace_id(span.trace_id)
            fields["span_id"] = trace.format_span_id(span.span_id)
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(_extras(record) | fields, default=str)


class RepeatFilter(logging.Filter):
    """Lets one line of a kind (logger, message template) of the noisy loggers through in
    ``REPEAT_SECONDS``; the next one says in ``suppressed`` how many were left out."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        # kind -> (when a line was last let through, lines left out since); oldest first.
        self._kinds: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(NOISY_LOGGERS):
            return True
        kind = (record.name, str(record.msg))
        now = self._monotonic()
        shown, suppressed = self._kinds.get(kind, (-REPEAT_SECONDS, 0))
        if now - shown < REPEAT_SECONDS:
            self._kinds[kind] = (shown, suppressed + 1)
            return False
        self._kinds[kind] = (now, 0)
        self._kinds.move_to_end(kind)
        if len(self._kinds) > REMEMBERED_KINDS:
            self._kinds.popitem(last=False)
        if suppressed:
            record.suppressed = suppressed
        return True


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if not value or set(value) & set(' ="') else value
