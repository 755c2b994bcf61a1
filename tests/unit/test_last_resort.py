"""The end of a process that hangs: it comes, whatever else fails."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

ENDS = "from streams.last_resort import leave_now; leave_now('stuck', {code})"


# The watchdog gives the thread time enough, however busy the machine is.
HANGS = (
    "import threading; from streams import last_resort; from streams.last_resort import "
    "leave_within; last_resort.WATCHDOG_SECONDS = 10; {calls}; threading.Event().wait()"
)


def end(program: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", program], timeout=30, check=False, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize(("code", "said"), [(0, "ending now"), (1, "with work unfinished")])
def test_it_says_why_and_ends(code: int, said: str) -> None:
    ended = end(ENDS.format(code=code))

    assert ended.returncode == code
    assert ended.stderr.startswith(b"genesys-streams: stuck: ")
    assert said in ended.stderr.decode()


def test_it_ends_where_it_can_not_say_why() -> None:
    """A log on a disk that is full."""
    ended = end("import os; os.close(2); " + ENDS.format(code=1))

    assert ended.returncode == 1


def test_a_thread_ends_it_although_the_main_one_hangs() -> None:
    ended = end(HANGS.format(calls="leave_within(0.1, 'stuck', 3)"))

    assert ended.returncode == 3


def test_it_ends_at_once_where_its_time_is_over() -> None:
    ended = end(HANGS.format(calls="leave_within(-0.5, 'stuck', 3)"))

    assert ended.returncode == 3


def test_a_later_end_takes_no_earlier_one_back() -> None:
    """The thread of the earlier one does not run, as at the very end of the interpreter."""
    began = time.monotonic()
    no_thread = "threading.Thread.start = lambda _: None; last_resort.WATCHDOG_SECONDS = 1"
    ended = end(HANGS.format(calls=f"{no_thread}; leave_within(0.1, '', 3); leave_within(60, '')"))

    assert ended.returncode == 1
    assert time.monotonic() - began < 25


HANGS_AT_ITS_END = """
import ctypes, sys
from streams.last_resort import leave_within

class Hangs:
    def __del__(self):
        ctypes.CDLL(None).sleep(25)

hangs = Hangs()
hangs.itself = hangs
leave_within({seconds}, "stuck", 3)
"""


def test_it_ends_although_no_thread_of_pythons_runs_any_more() -> None:
    """As where a client of librdkafka is closed with the interpreter, and its threads wait."""
    began = time.monotonic()
    ended = end(HANGS_AT_ITS_END.format(seconds=0.5))

    assert ended.returncode == 1
    assert time.monotonic() - began < 15
    assert b"Timeout" in ended.stderr


def test_one_that_ends_in_time_is_left_alone() -> None:
    ended = end("from streams.last_resort import leave_within; leave_within(20, 'stuck', 3)")

    assert (ended.returncode, ended.stderr) == (0, b"")
