"""Log lines on stderr: readable ones for a console, one JSON object each for a collector."""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import suppress
from typing import Any, Literal, TextIO

from opentelemetry import trace

from streams.clock import rfc3339
from streams.telemetry.repeats import RepeatFilter

# The debug lines of these loggers cost a sixth of the worker's CPU; their info lines repeat ours.
QUIET_LOGGERS = ("aiokafka", "faust", "mode")

# For our subclasses of Faust's classes. Faust logs what they do by themselves under the module that
# each class is in, so "Starting..." of a dozen parts came under our names (test_faust_app.py).
FAUST_LOG = logging.getLogger("faust.parts")

# At debug these write whole requests to AWS, with the session token among the headers.
SECRETIVE_LOGGERS = ("aiobotocore", "botocore")

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_COLOURS = {"DEBUG": "2", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}


def configure(
    log_format: Literal["console", "json"], level: str, stream: TextIO | None = None
) -> None:
    """Send the log of the whole process to ``stream`` (stderr). Replaces an earlier configuration.

    ``level``: debug, info, warning or error.
    """
    # sys.stderr is None in a process that was started without stderr.
    handler = LogHandler(stream or sys.stderr or _nowhere())
    coloured = handler.stream.isatty() and "NO_COLOR" not in os.environ
    handler.setFormatter(JsonFormatter() if log_format == "json" else ConsoleFormatter(coloured))
    handler.addFilter(RepeatFilter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in QUIET_LOGGERS:
        quiet = logging.NOTSET if level == "debug" else logging.WARNING
        logging.getLogger(name).setLevel(quiet)
    for name in SECRETIVE_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


class LogHandler(logging.StreamHandler[TextIO]):
    """Never raises, and prints no message of its own: a full disk, or a value that can not be
    shown, must not end any work."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as exc:  # noqa: BLE001 - from the text of any value that was logged
            line = self._without_values(record, exc)
        # When this write fails there is no place left to report it.
        with suppress(OSError, ValueError):
            self.stream.write(line + self.terminator)
            self.flush()

    def _without_values(self, record: logging.LogRecord, failure: Exception) -> str:
        """The log line without its values."""
        template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        why = f"(its values cannot be shown: {type(failure).__name__})"
        plain = logging.LogRecord(
            record.name, record.levelno, "", 0, f"{template} {why}", None, None
        )
        return self.format(plain)


class ConsoleFormatter(logging.Formatter):
    """``time level logger message key=value…``, and a traceback below when there is one."""

    def __init__(self, coloured: bool) -> None:
        super().__init__()
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        level = f"{record.levelname:<7}"
        if self._coloured and (colour := _COLOURS.get(record.levelname)):
            level = f"\x1b[{colour}m{level}\x1b[0m"
        message = _escaped(record.getMessage())
        line = f"{rfc3339(record.created)} {level} {record.name} {message}"
        for name, value in _extras(record).items():
            line += f" {name}={_quoted(_escaped(str(value)))}"
        if record.exc_info:
            # Indented, so that a line of an exception's text can not pass for a line of the log.
            traceback = self.formatException(record.exc_info).split("\n")
            line += "".join(f"\n  {_escaped(part)}" for part in traceback)
        return line


class JsonFormatter(logging.Formatter):
    """One object a line: ts, level, logger, message, the current span's ids, extra fields. All
    characters but plain ASCII are escaped, so that no terminal obeys them."""

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
        return json.dumps(_extras(record) | fields, default=str, skipkeys=True)


def _nowhere() -> TextIO:
    return open(os.devnull, "w")  # noqa: PTH123 - to the end of the process


def _escaped(text: str) -> str:
    """Escaped, because text from outside must not break a line, nor move the cursor or colour the
    terminal."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if not value or set(value) & set(' ="') else value
