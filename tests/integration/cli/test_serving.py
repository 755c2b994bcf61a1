"""serve() and complete() against real signals, in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def running(
    body: str, before: str = "", call: str = "serving.serve(main)"
) -> Iterator[subprocess.Popen[str]]:
    """A program that serves ``body`` as its main, once it has printed ``ready``."""
    lines = "import asyncio, time, threading\nfrom streams.cli import serving\n" + before
    program = f"{lines}\nasync def main(stop):\n{textwrap.indent(body, '    ')}\n"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{program}{call}\nprint('left')"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


DRAINS = "print('ready', flush=True)\nawait stop.wait()\nawait asyncio.sleep(0.1)\nprint('drained')"
HANGS = "print('ready', flush=True)\nawait stop.wait()\nprint('stopping', flush=True)\n"


STOP_SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_drains_and_leaves_with_0(number: signal.Signals) -> None:
    with running(DRAINS) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "drained\nleft\n", "")


SLOW_DRAIN = HANGS + "await asyncio.sleep(1)\nprint('drained', flush=True)"


@pytest.mark.parametrize(
    "numbers",
    [
        (signal.SIGTERM, signal.SIGTERM),
        (signal.SIGTERM, signal.SIGINT),
        (signal.SIGTERM, signal.SIGHUP),
        (signal.SIGHUP, signal.SIGTERM),
        (signal.SIGINT, signal.SIGTERM),
        (signal.SIGINT, signal.SIGINT),
        (signal.SIGTERM, signal.SIGTERM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP),
    ],
)
def test_signals_that_a_supervisor_repeats_hurry_nothing(
    numbers: tuple[signal.Signals, ...],
) -> None:
    # However long a busy machine takes from one signal to the next.
    with running(SLOW_DRAIN, before="serving.SECOND_PRESS_SECONDS = 60.0\n") as process:
        process.send_signal(numbers[0])
        assert process.stdout is not None
        assert process.stdout.readline() == "stopping\n"
        for number in numbers[1:]:
            process.send_signal(number)
            time.sleep(0.05)  # as far apart as a supervisor has them, or they come as one
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "drained\nleft\n", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_as_fast_as_they_come_kill_nothing(number: signal.Signals) -> None:
    with running(DRAINS) as process:
        for _ in range(200):
            process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "drained\nleft\n", "")


# Python has taken its own handlers of signals away when it ends the objects of a module.
SIGNALLED_AT_THE_VERY_END = """
class Last:
    def __del__(self, kill=os.kill, own=os.getpid(), number=signal.SIGTERM, write=os.write):
        kill(own, number)
        write(1, b"unharmed\\n")
last = Last()
"""


def test_a_signal_while_python_itself_ends_kills_nothing() -> None:
    before = f"import os, signal\n{SIGNALLED_AT_THE_VERY_END}"
    with running(DRAINS, before=before) as process:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "drained\nleft\nunharmed\n", "")


def test_only_ctrl_c_pressed_again_after_a_second_ends_a_drain() -> None:
    with running(HANGS + "await asyncio.sleep(60)") as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.readline() == "stopping\n"
        # Not a wait for something to happen, but a press that comes late.
        time.sleep(1.2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=5)
    assert process.returncode == 1
    assert err == "genesys-streams: second SIGINT: ending now with work unfinished\n"


def test_a_signal_that_nohup_has_it_ignore_is_ignored() -> None:
    with running(
        DRAINS, before="import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    ) as (process):
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_loop_that_hangs_before_the_signal_is_cut_off_too() -> None:
    blocked = "print('ready', flush=True)\ntime.sleep(60)"
    with running(blocked, before="serving.DRAIN_SECONDS = 0.3") as process:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "not drained in 0.3 s" in err


@pytest.mark.parametrize(
    "hang",
    [
        pytest.param("await asyncio.sleep(60)", id="task"),
        pytest.param("time.sleep(60)", id="blocked loop"),
        pytest.param("threading.Thread(target=time.sleep, args=[60]).start()", id="thread"),
    ],
)
def test_a_drain_that_hangs_is_cut_off(hang: str) -> None:
    with running(HANGS + hang, before="serving.DRAIN_SECONDS = 0.3") as process:
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        _, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert time.monotonic() - began < 5
    assert "not drained in 0.3 s" in err


def test_a_main_that_fails_raises() -> None:
    body = "print('ready', flush=True)\nraise RuntimeError('no')"
    with running(body) as process:
        _, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert err.endswith("RuntimeError: no\n")


COMPLETE = "print(serving.complete(main(None)))"


def test_work_is_run_to_its_end() -> None:
    with running("print('ready', flush=True)\nreturn 41 + 1", call=COMPLETE) as process:
        # Not by communicate(): the end may have come with the first line, into the same buffer.
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = process.stdout.read(), process.stderr.read()
        assert process.wait(10) == 0
    assert (out, err) == ("42\nleft\n", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_work_that_a_signal_ends_is_aborted_once_it_has_tidied_up(number: signal.Signals) -> None:
    body = """print('ready', flush=True)
try:
    await asyncio.sleep(60)
finally:
    await asyncio.sleep(0)
    print('tidy')"""
    with running(body, call=COMPLETE) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (1, "tidy\n")
    assert err.endswith("click.exceptions.Abort\n")


@pytest.mark.parametrize("error", ["SystemExit(3)", "RuntimeError('no')"])
def test_what_ends_the_work_ends_the_program_and_is_nobodys_lost_exception(error: str) -> None:
    """SystemExit is what rich raises where nobody reads its output any more."""
    body = f"print('ready', flush=True)\nawait asyncio.sleep(0)\nraise {error}"
    with running(body, call=COMPLETE) as process:
        _, err = process.communicate(timeout=10)
    assert process.returncode == (3 if "3" in error else 1)
    assert "never retrieved" not in err
    assert err.endswith("" if "3" in error else "RuntimeError: no\n")


def test_what_fails_on_its_way_out_is_reported() -> None:
    body = """print('ready', flush=True)
try:
    await asyncio.sleep(60)
finally:
    raise RuntimeError('not tidy')"""
    with running(body, call=COMPLETE) as process:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=10)
    assert "never retrieved" not in err
    assert err.endswith("RuntimeError: not tidy\n")
