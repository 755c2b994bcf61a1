from __future__ import annotations

import io
import json
import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from pydantic import SecretStr

from streams.telemetry.logging import LogHandler, configure
from streams.telemetry.repeats import (
    BURST,
    NOISY_LOGGERS,
    REMEMBERED_KINDS,
    REPEAT_SECONDS,
    RepeatFilter,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def console(stream: io.StringIO, level: str = "info") -> logging.Logger:
    configure("console", level, stream)
    return logging.getLogger("streams.sample")


def json_lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


class TestConsole:
    def test_is_one_line_of_time_level_logger_message_and_extras(self) -> None:
        stream = io.StringIO()
        console(stream).warning("no %s", "answer", extra={"topic": "t", "why": 'a "b" c', "n": 0})
        time, rest = stream.getvalue().split(" ", 1)
        assert len(time) == len("2025-12-12T15:15:07.657Z")
        assert time.endswith("Z")
        assert rest == 'WARNING streams.sample no answer topic=t why="a \\"b\\" c" n=0\n'

    def test_text_from_outside_neither_breaks_the_line_nor_colours_it(self) -> None:
        stream = io.StringIO()
        console(stream).info("id %s", "a\nERROR forged\x1b[31m", extra={"x": "1\r\n2"})
        assert stream.getvalue().count("\n") == 1
        assert "\x1b" not in stream.getvalue()
        assert "id a\\nERROR forged\\x1b[31m x=1\\r\\n2" in stream.getvalue()

    def test_a_traceback_follows(self) -> None:
        stream = io.StringIO()
        log = console(stream)
        try:
            raise ValueError("odd")
        except ValueError:
            log.exception("failed")
        assert stream.getvalue().endswith("ValueError: odd\n")

    def test_an_exception_s_text_can_not_pass_for_a_line_nor_colour_one(self) -> None:
        stream = io.StringIO()
        log = console(stream)
        try:
            raise ValueError("a\n2026-01-01T00:00:00.000Z ERROR forged\r\x1b[31m\x9b2J\u202e")
        except ValueError:
            log.exception("failed")
        first, *traceback = stream.getvalue().splitlines()
        assert first.endswith("failed")
        assert all(line.startswith("  ") and line.isprintable() for line in traceback)

    def test_colour_only_on_a_terminal_that_wants_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        terminal = Terminal()
        console(terminal).error("x")
        assert "\x1b[31mERROR  \x1b[0m" in terminal.getvalue()
        monkeypatch.setenv("NO_COLOR", "1")
        plain = Terminal()
        console(plain).error("x")
        assert "\x1b" not in plain.getvalue()


class TestJson:
    def test_is_one_object_a_line(self) -> None:
        stream = io.StringIO()
        configure("json", "info", stream)
        logging.getLogger("a.b").error("é\n%d", 7, extra={"key": SecretStr("s3cret"), "n": 1})
        (line,) = json_lines(stream)
        assert line.pop("ts").endswith("Z")
        assert line == {
            "level": "error",
            "logger": "a.b",
            "message": "é\n7",
            "key": "**********",
            "n": 1,
        }

    def test_extras_do_not_replace_what_the_line_is_about(self) -> None:
        stream = io.StringIO()
        configure("json", "info", stream)
        logging.getLogger("a").error("real", extra={"level": "fake", "ts": "fake"})
        (line,) = json_lines(stream)
        assert line["level"] == "error"
        assert line["ts"] != "fake"

    def test_names_the_current_span(self) -> None:
        stream = io.StringIO()
        configure("json", "info", stream)
        context = trace.SpanContext(0xABC, 0xDEF, is_remote=False)
        with trace.use_span(trace.NonRecordingSpan(context)):
            logging.getLogger("a").info("in")
        logging.getLogger("a").info("out")
        inside, outside = json_lines(stream)
        assert inside["trace_id"] == "00000000000000000000000000000abc"
        assert inside["span_id"] == "0000000000000def"
        assert "trace_id" not in outside

    def test_carries_the_traceback(self) -> None:
        stream = io.StringIO()
        configure("json", "info", stream)
        try:
            raise ValueError("odd")
        except ValueError:
            logging.getLogger("a").exception("failed")
        (line,) = json_lines(stream)
        assert line["exception"].endswith("ValueError: odd")


class Unspeakable:
    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    def __str__(self) -> str:
        raise self.failure

    __repr__ = __str__


def log_it(message: object, *args: object, **extra: object) -> None:
    """Log to our handler alone: pytest's own lets a test fail over what can not be shown."""
    (ours,) = [each for each in logging.getLogger().handlers if isinstance(each, LogHandler)]
    log = logging.getLogger("streams.sample")
    ours.handle(
        log.makeRecord(log.name, logging.INFO, "", 0, message, args, None, extra=extra or None)
    )


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("log_format", ["console", "json"])
class TestNeverRaises:
    """The log says less, or nothing; the program goes on."""

    @pytest.fixture
    def log(self, log_format: Literal["console", "json"], stream: io.StringIO) -> logging.Logger:
        configure(log_format, "info", stream)
        return logging.getLogger("streams.sample")

    @pytest.fixture
    def stream(self) -> io.StringIO:
        return io.StringIO()

    @pytest.mark.parametrize("failure", [ValueError("x"), RecursionError("x"), KeyError("x")])
    def test_a_value_that_has_no_text(
        self,
        log: logging.Logger,
        stream: io.StringIO,
        failure: Exception,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        log_it("got %s", Unspeakable(failure))
        log_it("got", it=Unspeakable(failure))
        log_it(Unspeakable(failure))
        assert stream.getvalue().count("\n") == 3
        assert stream.getvalue().count("cannot be shown") == 3
        assert capsys.readouterr().err == ""

    def test_arguments_that_do_not_fit(self, log: logging.Logger, stream: io.StringIO) -> None:
        log_it("%d of %d", "x")
        assert "%d of %d (its values cannot be shown: TypeError)" in stream.getvalue()

    def test_what_is_too_deep_or_turns_in_a_circle(
        self, log: logging.Logger, stream: io.StringIO
    ) -> None:
        circle: list[object] = []
        circle.append(circle)
        log.info("it", extra={"circle": circle, "odd": {("a",): float("nan")}})
        assert stream.getvalue().count("\n") == 1

    @pytest.mark.parametrize("stream", [Full()])
    def test_a_disk_that_is_full(
        self, log: logging.Logger, stream: io.StringIO, capsys: pytest.CaptureFixture[str]
    ) -> None:
        log.error("unheard")
        assert capsys.readouterr().err == ""

    def test_a_stream_that_is_closed(self, log: logging.Logger, stream: io.StringIO) -> None:
        stream.close()
        log.error("unheard")

    def test_no_stderr_at_all(
        self, log_format: Literal["console", "json"], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stderr", None)
        configure(log_format, "info")
        logging.getLogger("streams.sample").error("unheard")
        logging.getLogger().handlers[0].stream.close()  # type: ignore[attr-defined]

    def test_text_that_has_no_encoding(
        self, log_format: Literal["console", "json"], tmp_path: Path
    ) -> None:
        with (tmp_path / "log").open("w", encoding="ascii") as stream:
            configure(log_format, "info", stream)
            logging.getLogger("streams.sample").info("a\ud83d \u00e9", extra={"x": "\udcff"})

    @given(st.text(st.characters(exclude_categories=[])))
    def test_no_control_character_of_any_text_reaches_the_terminal(
        self, log_format: Literal["console", "json"], text: str
    ) -> None:
        stream = io.StringIO()
        configure(log_format, "info", stream)
        try:
            raise ValueError(text)
        except ValueError:
            logging.getLogger("streams.sample").exception("%s", text, extra={"x": text})
        assert all(line.isprintable() for line in stream.getvalue().split("\n"))


class TestLevels:
    @pytest.mark.parametrize("name", ["aiokafka.conn", "faust.app", "mode.services"])
    def test_libraries_are_quiet_unless_debugging(self, name: str) -> None:
        stream = io.StringIO()
        console(stream, "info")
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
        assert logging.getLogger(name).isEnabledFor(logging.WARNING)
        console(stream, "debug")
        assert logging.getLogger(name).isEnabledFor(logging.DEBUG)

    def test_ours_follow_the_setting(self) -> None:
        stream = io.StringIO()
        console(stream, "warning").info("unheard")
        assert stream.getvalue() == ""

    def test_configuring_again_replaces(self) -> None:
        first, second = io.StringIO(), io.StringIO()
        console(first)
        console(second).info("once")
        assert first.getvalue() == ""
        assert second.getvalue().count("once") == 1


class TestRepeats:
    now = 1000.0

    def passes(self, repeats: RepeatFilter, name: str, template: str) -> int | None:
        """How many the line says were left out; None when it is left out itself."""
        record = logging.LogRecord(name, logging.ERROR, "", 0, template, (self.now,), None)
        return getattr(record, "suppressed", 0) if repeats.filter(record) else None

    def test_one_of_a_kind_then_a_count(self) -> None:
        repeats = RepeatFilter(lambda: self.now)
        shown = [self.passes(repeats, "aiokafka", "Unable %s") for _ in range(4)]
        assert shown == [0, None, None, None]
        self.now += REPEAT_SECONDS
        assert self.passes(repeats, "aiokafka", "Unable %s") == 3
        self.now += REPEAT_SECONDS
        assert self.passes(repeats, "aiokafka", "Unable %s") == 0

    def test_other_kinds_and_other_loggers_are_not_held_back(self) -> None:
        repeats = RepeatFilter(lambda: self.now)
        assert self.passes(repeats, "aiokafka", "a %s") == 0
        assert self.passes(repeats, "aiokafka", "b %s") == 0
        assert self.passes(repeats, "aiokafka.conn", "a %s") == 0
        assert [self.passes(repeats, "streams.worker", "c %s") for _ in range(2)] == [0, 0]

    def test_lines_of_ours_each_count_up_to_a_burst(self) -> None:
        repeats = RepeatFilter(lambda: self.now)
        shown = [
            self.passes(repeats, "streams.worker.dispatcher", "given back") for _ in range(BURST)
        ]
        assert shown == [0] * BURST
        assert self.passes(repeats, "streams.worker.dispatcher", "given back") is None
        self.now += REPEAT_SECONDS
        assert self.passes(repeats, "streams.worker.dispatcher", "given back") == 1

    @pytest.mark.parametrize("name", ["asyncio", "aiohttp.server", "urllib3", "streamsomething"])
    def test_every_library_is_held_to_one_line(self, name: str) -> None:
        repeats = RepeatFilter(lambda: self.now)
        accept = "socket.accept() out of system resource\nsocket: <socket fd=%d, raddr=%d>"
        passed = [self.passes(repeats, name, accept % (n, n)) for n in range(1000)]
        assert passed.count(None) == 999
        future = "Task exception was never retrieved: <Task at 0x7f%04x>"
        assert [self.passes(repeats, name, future % n) for n in range(3)] == [0, None, None]

    def test_what_is_worse_is_a_kind_of_its_own(self) -> None:
        repeats = RepeatFilter(lambda: self.now)
        for level in (logging.WARNING, logging.ERROR):
            assert repeats.filter(logging.LogRecord("mode", level, "", 0, "x", None, None))

    def test_what_is_no_text_is_a_kind_too(self) -> None:
        repeats = RepeatFilter(lambda: self.now)
        for shown in (True, False):
            odd = cast(Any, Unspeakable(ValueError("x")))
            record = logging.LogRecord("mode", logging.ERROR, "", 0, odd, None, None)
            assert repeats.filter(record) is shown

    def test_the_loggers_of_ours_that_are_noisy_are_there(self) -> None:
        assert [name for name in NOISY_LOGGERS if find_spec(name) is None] == []

    def test_remembers_a_bounded_number_of_kinds(self) -> None:
        repeats = RepeatFilter(lambda: self.now)
        for number in range(REMEMBERED_KINDS + 1):
            assert self.passes(repeats, "aiokafka", f"made up {number}") == 0
        assert self.passes(repeats, "aiokafka", "made up 0") == 0
        assert self.passes(repeats, "aiokafka", f"made up {REMEMBERED_KINDS}") is None

    def test_is_part_of_what_is_configured(self) -> None:
        stream = io.StringIO()
        console(stream)
        for node in range(5):
            logging.getLogger("aiokafka").error("Unable connect to %s", node)
        assert stream.getvalue().count("Unable") == 1
