"""What ``replay`` says of how far it is."""

from __future__ import annotations

import re

import pytest

from streams.cli.replay import PROGRESS_SECONDS, Progress
from streams.clock import rfc3339
from streams.core.records import Basis, Decision, Reason, Source, Verdict
from streams.operator.replay.past import Question
from streams.operator.replay.rehearsal import Rehearsed
from tests.support.scripted import LeapingClock

KNOWN = Verdict(Decision.WOULD_PATCH, Reason.ELIGIBLE, Basis.API)
PUT_OFF = Verdict(Decision.DEFERRED, Reason.SERVER_ERROR, Basis.API)
REFUSED = Verdict(Decision.FAILED, Reason.FORBIDDEN, Basis.API)


def at(second: int) -> int:
    return 1_767_600_000_000 + 1000 * second


def hints(output: pytest.CaptureFixture[str]) -> list[str]:
    return re.findall(r"--from (\S+)", output.readouterr().err)


def times(*seconds: int) -> list[str]:
    return [rfc3339(at(second) / 1000) for second in seconds]


def ask(*verdicts: Verdict) -> Progress:
    """A question a second, each answered after as long as it takes for a hint."""
    clock = LeapingClock()
    progress = Progress(len(verdicts), clock)
    for second, verdict in enumerate(verdicts):
        clock.now += PROGRESS_SECONDS
        question = Question("i-1", Source("events", 0, second), at(second), b"", b"")
        progress.reached(Rehearsed(question, verdict))
    return progress


def test_it_goes_on_behind_what_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    progress = ask(KNOWN, KNOWN, KNOWN)

    assert hints(capsys) == times(0, 1, 2)
    assert progress.unknown == 0


@pytest.mark.parametrize("verdict", [PUT_OFF, REFUSED])
def test_it_never_goes_on_behind_what_nothing_is_known_of(
    verdict: Verdict, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = ask(KNOWN, verdict, KNOWN, verdict, KNOWN)

    assert hints(capsys) == times(0, 1, 1, 1, 1)
    assert (progress.unknown, progress.go_on) == (2, times(1)[0])
